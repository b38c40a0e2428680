import fc from 'fast-check';
import { expect, test } from 'vitest';
import { serverNames, userIds } from '../../test/support/arbitraries.ts';
import { roomId, userId } from '../../test/support/room-story.ts';
import {
  fitsBytes,
  isValidNewLocalpart,
  localpartOf,
  parseEventId,
  parseRoomAlias,
  parseRoomId,
  parseServerName,
  parseUserId,
  serverNameOf,
} from './identifiers.ts';

const valid = [
  [
    parseServerName,
    ['matrix.org', 'matrix.org:8888', '1.2.3.4:1234', '[1234:5678::abcd]', '[1234:5678::abcd]:5678', 'MATRIX.org'],
  ],
  [parseUserId, ['@a:b', '@a:b:8448', '@:b', '@Ä Ö:b', '@a/b=c+d:b', `@${'a'.repeat(252)}:b`]],
  [parseRoomId, ['!abc:one', '!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ']],
  [parseRoomAlias, ['#room:one', '#räume 1:one:80']],
  [parseEventId, ['$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg', '$old:one']],
] as const;

test.for(valid.flatMap(([parse, texts]) => texts.map((text) => ({ parse, text }))))(
  '$text is valid',
  ({ parse, text }) => {
    expect(parse(text)).toBe(text);
  },
);

const invalid = [
  [parseServerName, ['', ':80', 'a b', 'a:', 'a:123456', '[::1', 'a/b', 'a\n', 'ä.org', 'a:80:80', 'a'.repeat(256)]],
  [
    parseUserId,
    ['', '@', 'a:b', '@a', '@a:', '@a\0b:c', '@a:b c', '@\ud800:b', `@${'a'.repeat(253)}:b`, `@${'ä'.repeat(127)}:b`],
  ],
  [parseRoomId, ['!', 'abc:one', '!abc:', '!a\0:one', '!a:b/c']],
  [parseRoomAlias, ['#', '#room', '#room:', '!room:one']],
  [parseEventId, ['$', 'abc', `$${'a'.repeat(255)}`]],
] as const;

test.for(invalid.flatMap(([parse, texts]) => texts.map((text) => ({ parse, text }))))(
  '%j is not valid',
  ({ parse, text }) => {
    expect(parse(text)).toBeUndefined();
  },
);

test('a user id comes apart into localpart and server, whatever the port', () => {
  fc.assert(
    fc.property(userIds(), serverNames(), (id, server) => {
      const moved = userId(`@${localpartOf(id)}:${server}`);
      expect(serverNameOf(moved)).toBe(server);
      expect(localpartOf(moved)).toBe(localpartOf(id));
    }),
  );
});

test('a room id of version 12 names no server', () => {
  expect(serverNameOf(roomId('!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ'))).toBeUndefined();
  expect(serverNameOf(roomId('!abc:one:80'))).toBe('one:80');
});

test.for([
  ['alice.01_=-/+', true],
  ['Alice', false],
  ['', false],
  ['a b', false],
  ['ä', false],
  ['a:b', false],
] as const)('the new localpart %j: %s', ([localpart, ok]) => {
  expect(isValidNewLocalpart(localpart)).toBe(ok);
});

test('lengths are counted in bytes of UTF-8', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(40), (text, limit) => {
      expect(fitsBytes(text, limit)).toBe(new TextEncoder().encode(text).length <= limit);
    }),
  );
});

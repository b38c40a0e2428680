import { expect, test } from 'vitest';
import { signJson, signingKeyFromSeed } from '../../homeserver/room/event-signature.ts';
import { parseServerName } from '../../homeserver/room/identifiers.ts';
import type { JsonObject } from '../../homeserver/room/json-value.ts';
import { ownObject } from '../../homeserver/room/json-value.ts';
import { parseObject, readKeyAnswer } from './key-answer.ts';
import { readNotaryAnswer } from './notary-answer.ts';

const NOW = 1_700_000_000_000;
const expected = { serverName: 'example.org', now: NOW };
const newKey = (id: string, byte: number) => signingKeyFromSeed(`ed25519:${id}`, Buffer.alloc(32, byte));
const [one, two, theirs] = [newKey('one', 1), newKey('two', 2), newKey('theirs', 3)];
type Key = typeof one;

function unsigned(keys: readonly Key[], more: JsonObject = {}): JsonObject {
  return {
    server_name: 'example.org',
    valid_until_ts: NOW + 1000,
    verify_keys: Object.fromEntries(keys.map(({ keyId, publicKeyBase64: key }) => [keyId, { key }])),
    old_verify_keys: {},
    ...more,
  };
}

function signed(object: JsonObject, keys: readonly Key[], name = 'example.org'): JsonObject {
  const serverName = parseServerName(name);
  if (serverName === undefined) throw new Error('a server name');
  return keys.reduce<JsonObject>((sofar, key) => signJson(sofar, serverName, key), object);
}

const seen = ({ keyId, publicKeyBase64 }: Key) => ({ keyId, publicKey: publicKeyBase64 });

test('an answer signed by all its keys, or by one of them, is this server', () => {
  const both = { ok: true, keys: [seen(one), seen(two)], validUntil: NOW + 1000 };
  expect(readKeyAnswer(signed(unsigned([one, two]), [one, two]), expected)).toEqual(both);
  expect(readKeyAnswer(signed(unsigned([one, two]), [two]), expected)).toEqual(both);
});

test('fields that nobody knows, unsigned ones and keys of other algorithms do not matter', () => {
  const answer = unsigned([one], { 'org.example.more': { z: 1, a: [null, 'ü'] } });
  const keys = { ...ownObject(answer, 'verify_keys'), 'curve25519:x': { key: 'AAAA' } };
  const whole = { ...signed({ ...answer, verify_keys: keys }, [one]), unsigned: { age_ts: 1 } };
  expect(readKeyAnswer(parseObject(JSON.stringify(whole)), expected)).toMatchObject({ ok: true, keys: [seen(one)] });
});

test('a signature by another server beside ours does not matter, in place of ours it does', () => {
  const both = signed(signed(unsigned([one]), [one]), [theirs], 'notary.example');
  expect(readKeyAnswer(both, expected).ok).toBe(true);
  expect(readKeyAnswer(signed(unsigned([one]), [theirs], 'notary.example'), expected)).toEqual({
    ok: false,
    kind: 'BadSignature',
  });
});

const good = signed(unsigned([one, two]), [one, two]);
test.for([
  { name: 'no signature', answer: unsigned([one]), kind: 'BadSignature' },
  { name: 'a signature by a key that is not listed', answer: signed(unsigned([one]), [theirs]), kind: 'BadSignature' },
  {
    name: 'one wrong signature beside a right one',
    answer: { ...good, valid_until_ts: NOW + 5 },
    kind: 'BadSignature',
  },
  {
    name: 'a key that was swapped after signing',
    answer: { ...signed(unsigned([one]), [one]), verify_keys: { 'ed25519:one': { key: two.publicKeyBase64 } } },
    kind: 'BadSignature',
  },
  {
    name: 'another server name',
    answer: signed(unsigned([one], { server_name: 'example.com' }), [one], 'example.com'),
    kind: 'WrongServerName',
  },
  {
    name: 'a validity that has passed',
    answer: signed(unsigned([one], { valid_until_ts: NOW }), [one]),
    kind: 'Expired',
  },
  { name: 'no keys', answer: signed(unsigned([]), [one]), kind: 'Malformed' },
  {
    name: 'a key id that is none',
    answer: unsigned([], { verify_keys: { 'ed25519:<b>': { key: one.publicKeyBase64 } } }),
    kind: 'Malformed',
  },
  {
    name: 'a key that is too short',
    answer: unsigned([], { verify_keys: { 'ed25519:a': { key: 'AAAA' } } }),
    kind: 'Malformed',
  },
  {
    name: 'more than 64 keys',
    answer: unsigned([], {
      verify_keys: Object.fromEntries(
        Array.from({ length: 65 }, (_, i) => [`ed25519:k${i}`, { key: one.publicKeyBase64 }]),
      ),
    }),
    kind: 'Malformed',
  },
  { name: 'a list', answer: parseObject('[]'), kind: 'Malformed' },
  { name: 'numbers that are not integers', answer: parseObject('{"a":1.5}'), kind: 'Malformed' },
  {
    name: 'nesting without end',
    answer: parseObject(`{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`),
    kind: 'Malformed',
  },
])('$name is refused as $kind', ({ answer, kind }) => {
  expect(readKeyAnswer(answer, expected)).toEqual({ ok: false, kind });
});

test('of the answers that a notary holds the freshest valid one of ours counts', () => {
  const older = signed(unsigned([one]), [one]);
  const fresh = signed(unsigned([one, two], { valid_until_ts: NOW + 5000 }), [one, two]);
  const others = signed(
    unsigned([theirs], { server_name: 'other.example', valid_until_ts: NOW + 9000 }),
    [theirs],
    'other.example',
  );
  const forged = {
    ...signed(unsigned([theirs], { valid_until_ts: NOW + 9000 }), [theirs]),
    valid_until_ts: NOW + 9001,
  };
  expect(readNotaryAnswer({ server_keys: [older, others, forged, fresh, 'x', null] }, expected)).toMatchObject({
    ok: true,
    keys: [seen(one), seen(two)],
  });
  expect(readNotaryAnswer({ server_keys: [forged] }, expected)).toEqual({ ok: false, kind: 'BadSignature' });
  expect(readNotaryAnswer({ server_keys: [others] }, expected)).toEqual({ ok: false, kind: 'NoKeys' });
  expect(readNotaryAnswer({ server_keys: {} }, expected)).toEqual({ ok: false, kind: 'Malformed' });
  expect(readNotaryAnswer(undefined, expected)).toEqual({ ok: false, kind: 'Malformed' });
});

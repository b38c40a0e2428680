import { expect, test } from 'vitest';
import { turnCredentials } from './turn-credentials.ts';

const service = { uris: ['turn:turn.example.org:3478?transport=udp'], secret: 'north', lifetimeSeconds: 3600 };

test('the name says when the credentials end, and the password is what a TURN server computes from it', () => {
  // printf '1700003600:@alice:example.org' | openssl dgst -sha1 -hmac north -binary | base64
  expect(turnCredentials(service, '@alice:example.org', 1_700_000_000_999)).toEqual({
    username: '1700003600:@alice:example.org',
    password: '6cEh1+OSEPFM5XsksE7KvMgzX1c=',
    uris: service.uris,
    ttl: 3600,
  });
});

test('another user or another secret gives another password', () => {
  const { password } = turnCredentials(service, '@alice:example.org', 0);
  expect(turnCredentials(service, '@bob:example.org', 0).password).not.toBe(password);
  expect(turnCredentials({ ...service, secret: 'south' }, '@alice:example.org', 0).password).not.toBe(password);
});

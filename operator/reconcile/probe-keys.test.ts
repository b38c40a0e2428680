import { expect, test } from 'vitest';
import { generateKeyring } from '../../homeserver/config/generate-key.ts';
import { parseKeyring } from '../../homeserver/config/parse-keyring.ts';
import { KeyResponse } from '../../homeserver/http/server-server/key-response.ts';
import { checkAnswer } from './probe-keys.ts';

const file = generateKeyring('example.org', 86_400);
const keys = parseKeyring(JSON.stringify(file), 'keyring.json', 'example.org');
const answer = new KeyResponse({
  ...keys,
  active: () => keys.active,
  signing: () => keys.signing,
  verifyKeys: () => keys.verify,
  oldKeys: () => keys.old,
  onChange: () => () => undefined,
  close: () => undefined,
}).text();
const { keyId = '', publicKey = '' } = file.keys[0] ?? {};
const wanted = { serverName: 'example.org', keyId, publicKey, now: Date.now() };

test('the answer of a homeserver with the active key is right', () => {
  expect(checkAnswer('url', answer, wanted)).toBeUndefined();
});

test.for([
  { name: 'another active key', text: answer, of: { ...wanted, keyId: 'ed25519:x' }, says: 'does not list' },
  { name: 'another public half', text: answer, of: { ...wanted, publicKey: 'A'.repeat(43) }, says: 'does not list' },
  { name: 'another server', text: answer, of: { ...wanted, serverName: 'b.example' }, says: 'WrongServerName' },
  {
    name: 'a changed answer',
    text: answer.replace('"verify_keys":{', '"x":1,"verify_keys":{'),
    of: wanted,
    says: 'BadSignature',
  },
  { name: 'an old answer', text: answer, of: { ...wanted, now: Date.now() + 90_000_000 }, says: 'Expired' },
  { name: 'no JSON', text: '<html>', of: wanted, says: 'Malformed' },
])('$name is told apart', ({ text, of, says }) => {
  expect(checkAnswer('url', text, of)).toContain(says);
});

import { expect, test } from 'vitest';
import { generateSigningKey } from './generate.ts';
import { keySecretData, readKeySecret, readRemembered } from './key-secret.ts';

const key = generateSigningKey();
const encode = (values: Record<string, string>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Buffer.from(value).toString('base64')]));
const good = keySecretData(key);

test('what is written is read', () => {
  expect(readKeySecret(encode(good))).toEqual(key);
});

test('an imported key keeps its id and needs no public half', () => {
  expect(readKeySecret(encode({ 'key-id': 'ed25519:a_Old', seed: `${key.seed}=` }))).toEqual({
    ...key,
    keyId: 'ed25519:a_Old',
  });
});

test.for([
  { name: 'no data at all', data: undefined, says: /needs the keys/, reason: 'KeyMismatch' },
  { name: 'no seed', data: encode({ 'key-id': key.keyId }), says: /needs the keys/, reason: 'KeyMismatch' },
  { name: 'another kind of id', data: encode({ ...good, 'key-id': 'rsa:1' }), says: /key-id/, reason: 'KeyMismatch' },
  { name: 'a short seed', data: encode({ ...good, seed: 'AAAA' }), says: /32 bytes/, reason: 'KeyMismatch' },
  {
    name: 'the public half of another key',
    data: encode({ ...good, 'public-key': generateSigningKey().publicKey }),
    says: /does not belong/,
    reason: 'KeyMismatch',
  },
  { name: 'a seed of zeros', data: encode({ ...good, seed: 'A'.repeat(43) }), says: /not random/, reason: 'WeakKey' },
])('$name is unreadable', ({ data, says, reason }) => {
  expect(readKeySecret(data)).toEqual({ unreadable: expect.stringMatching(says) as string, reason });
});

test.for([
  { state: undefined, end: undefined, is: undefined },
  { state: 'Active', end: undefined, is: { state: 'Active', expiredTs: undefined } },
  { state: 'Retired', end: '5', is: { state: 'Retired', expiredTs: 5 } },
  { state: 'Retired', end: undefined, is: undefined },
  { state: 'Revoked', end: 'soon', is: undefined },
  { state: 'Lost', end: '5', is: undefined },
])('annotations $state and $end remember $is', ({ state, end, is }) => {
  expect(readRemembered(state, end)).toEqual(is);
});

import { expect, test } from 'vitest';
import { KeyringFile } from '../../homeserver/contract/keyring-file.ts';
import { namedKeys } from './restored-keys.ts';

const key = (n: number, state: string) => ({
  keyId: `ed25519:${n}`,
  publicKey: String(n).repeat(43),
  seed: String(n).repeat(43),
  state,
});
const keyring = KeyringFile.parse({
  format: 1,
  generation: 3,
  serverName: 'example.org',
  validitySeconds: 86_400,
  keys: [key(1, 'retiring'), key(2, 'active')],
  oldKeys: [],
});

test('the ledger names the keys', () => {
  const ledger = [
    { name: 'k1', keyId: 'ed25519:1' },
    { name: 'k2', keyId: 'ed25519:2' },
  ];
  expect(namedKeys(keyring, ledger, 'k1').map(({ name, key }) => [name, key.keyId])).toEqual([
    ['k1', 'ed25519:1'],
    ['k2', 'ed25519:2'],
  ]);
});

test('without a ledger the active key gets the name that the spec wants', () => {
  expect(namedKeys(keyring, [], 'main').map(({ name, key }) => [name, key.keyId])).toEqual([['main', 'ed25519:2']]);
});

test('a key that the ledger does not know gets no name of another', () => {
  expect(namedKeys(keyring, [{ name: 'k1', keyId: 'ed25519:9' }], 'k1')).toEqual([]);
});

import { expect, test } from 'vitest';
import { backupRootKey } from './backup-key.ts';
import { KeyBundle, openKeyring, sealKeyring } from './key-bundle.ts';
import { KeyringFile } from './keyring-file.ts';

const SECRET = 'a text of at least thirty-two characters';
const salt = Buffer.alloc(32, 1);
const key = { keyId: 'ed25519:1', publicKey: 'A'.repeat(43), seed: 'B'.repeat(43), state: 'active' };
const keyring = KeyringFile.parse({
  format: 1,
  generation: 1,
  serverName: 'example.org',
  validitySeconds: 86_400,
  keys: [key],
  oldKeys: [],
});
const seal = () =>
  sealKeyring(keyring, { backupId: 'b', salt, rootKey: backupRootKey(SECRET, salt) }, Buffer.alloc(12, 2));

test('a keyring comes back with the text that it was sealed with, and shows nothing without', () => {
  const bundle = KeyBundle.parse(JSON.parse(JSON.stringify(seal())));
  expect(JSON.stringify(bundle)).not.toContain(key.seed);
  expect(openKeyring(bundle, `${SECRET}\n`)).toEqual(keyring);
  expect(openKeyring(bundle, 'another text of at least thirty-two characters')).toBeUndefined();
});

test('a bundle of another backup, or a changed one, is not opened', () => {
  const bundle = seal();
  expect(openKeyring({ ...bundle, backupId: 'c' }, SECRET)).toBeUndefined();
  expect(
    openKeyring({ ...bundle, sealed: bundle.sealed.replace(/^./, (a) => (a === 'A' ? 'B' : 'A')) }, SECRET),
  ).toBeUndefined();
  expect(openKeyring({ ...bundle, sealed: '' }, SECRET)).toBeUndefined();
});

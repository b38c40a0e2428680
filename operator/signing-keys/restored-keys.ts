import type { KeyringFile } from '../../homeserver/contract/keyring-file.ts';
import type { SigningKey } from './generate.ts';

/**
 * The keys of a restored keyring by name: the ledger, which came with the same backup, knows it; a backup that no operator made
 * has one signing key, which becomes the one that the spec wants to sign with.
 */
export function namedKeys(
  keyring: KeyringFile,
  ledger: readonly { readonly name: string; readonly keyId: string }[],
  activeName: string,
): { readonly name: string; readonly key: SigningKey }[] {
  return keyring.keys.flatMap(({ keyId, publicKey, seed, state }) => {
    const known = ledger.find((row) => row.keyId === keyId)?.name;
    const name = known ?? (ledger.length === 0 && state === 'active' ? activeName : undefined);
    return name === undefined || seed === undefined ? [] : [{ name, key: { keyId, publicKey, seed } }];
  });
}

import { createCipheriv, createDecipheriv } from 'node:crypto';
import * as z from 'zod';
import { backupRootKey, purposeKey } from './backup-key.ts';
import { KeyringFile } from './keyring-file.ts';

const CIPHER = 'aes-256-gcm';
const base64 = z.base64().max(1_000_000);

/**
 * The signing keys of a server as an encrypted backup holds them: `keyring.json`, readable only with the encryption key. A
 * restore leaves it, as it is, in `matrix_operator.restored_keys`, from where the operator makes Secrets of it.
 */
export const KeyBundle = z.object({
  format: z.literal(1),
  backupId: z.string().max(64),
  salt: base64,
  nonce: base64,
  /** Ciphertext and, in the last 16 bytes, its tag. */
  sealed: base64,
});

export type KeyBundle = z.infer<typeof KeyBundle>;

export interface BundleKey {
  readonly backupId: string;
  readonly salt: Buffer;
  /** Of `backupRootKey`. */
  readonly rootKey: Buffer;
}

const PURPOSE = 'signing keys';

/** Encrypts a keyring. `nonce` is 12 random bytes. */
export function sealKeyring(keyring: KeyringFile, { backupId, salt, rootKey }: BundleKey, nonce: Buffer): KeyBundle {
  const cipher = createCipheriv(CIPHER, purposeKey(rootKey, backupId, PURPOSE), nonce);
  const sealed = Buffer.concat([cipher.update(JSON.stringify(keyring)), cipher.final(), cipher.getAuthTag()]);
  return {
    format: 1,
    backupId,
    salt: salt.toString('base64'),
    nonce: nonce.toString('base64'),
    sealed: sealed.toString('base64'),
  };
}

/** Decrypts with the text of the encryption key; undefined when that is not the right one or the bundle was changed. */
export function openKeyring(bundle: KeyBundle, encryptionKey: string): KeyringFile | undefined {
  const rootKey = backupRootKey(encryptionKey, Buffer.from(bundle.salt, 'base64'));
  const sealed = Buffer.from(bundle.sealed, 'base64');
  try {
    const key = purposeKey(rootKey, bundle.backupId, PURPOSE);
    const decipher = createDecipheriv(CIPHER, key, Buffer.from(bundle.nonce, 'base64'));
    decipher.setAuthTag(sealed.subarray(-16));
    const text = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]).toString('utf8');
    return KeyringFile.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

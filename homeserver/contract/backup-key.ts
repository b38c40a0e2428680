import { hkdfSync, scryptSync } from 'node:crypto';

/** Shortest text that an encryption key may be; `openssl rand -base64 32` gives 44 characters. */
export const MIN_ENCRYPTION_KEY = 32;

const COST = { N: 16_384, r: 8, p: 1, maxmem: 67_108_864 } as const;

/** Turns the text of an encryption key into key material of one backup; slow on purpose (about 50 ms). */
export function backupRootKey(text: string, salt: Buffer): Buffer {
  return scryptSync(text.trim(), salt, 32, COST);
}

/** The key of one purpose within one backup. */
export function purposeKey(rootKey: Buffer, backupId: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', rootKey, '', `matrix-homeserver backup 1\n${backupId}\n${purpose}`, 32));
}

import { createHash, createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';

/** An ed25519 key: `seed` and `publicKey` are unpadded base64 of 32 bytes. */
export interface SigningKey {
  readonly keyId: string;
  readonly publicKey: string;
  readonly seed: string;
}

/** RFC 8410: everything of a PKCS #8 ed25519 key but the seed itself. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const KEY_BYTES = 32;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const ID_CHARACTERS = 10;
/** 32 random bytes have fewer than 8 different values once in 10^40. */
const LEAST_DIFFERENT_BYTES = 8;

/** A new key from the platform's cryptographic generator. */
export function generateSigningKey(): SigningKey {
  return signingKeyOf(randomBytes(KEY_BYTES));
}

/** The key that a seed stands for, under our own id unless it came with one. */
export function signingKeyOf(seed: Buffer, keyId?: string): SigningKey {
  const publicKey = derivePublicKey(seed);
  return { keyId: keyId ?? keyIdOf(publicKey), publicKey: unpadded(publicKey), seed: unpadded(seed) };
}

/**
 * `ed25519:` and ten characters of base32 of SHA-256 of the public key, so that one id does not come to name two keys.
 * Spec: appendices, "Signing JSON" and server-server API, "Retrieving server keys".
 */
export function keyIdOf(publicKey: Buffer): string {
  const hash = createHash('sha256').update(publicKey).digest();
  const bits = [...hash.subarray(0, 7)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = Array.from(
    { length: ID_CHARACTERS },
    (_, i) => BASE32[Number.parseInt(bits.slice(i * 5, i * 5 + 5), 2)],
  );
  return `ed25519:${letters.join('')}`;
}

/** True for a seed that nobody drew at random: all bytes equal, or nearly so. */
export function isWeakSeed(seed: Buffer): boolean {
  return new Set(seed).size < LEAST_DIFFERENT_BYTES;
}

/** 32 bytes of unpadded or padded base64; undefined for anything else. */
export function decodeKeyBytes(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === KEY_BYTES ? bytes : undefined;
}

function derivePublicKey(seed: Buffer): Buffer {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-KEY_BYTES);
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

import * as z from 'zod';
import { decodeKeyBytes, isWeakSeed, signingKeyOf } from './generate.ts';
import type { SigningKey } from './generate.ts';
import type { Remembered, UnreadableKey } from './key-facts.ts';
import { KEY_STATES, isOver } from './key-states.ts';

const KeyData = z.looseObject({
  'key-id': z.base64().max(128),
  'public-key': z.base64().max(128).optional(),
  seed: z.base64().max(128),
});
const KEY_ID = /^ed25519:[A-Za-z0-9_]{1,64}$/;

/** Values (not yet base64) of the immutable Secret `<n>-key-<k>`: key-id, public-key, seed. */
export function keySecretData(key: SigningKey): Record<string, string> {
  return { 'key-id': key.keyId, 'public-key': key.publicKey, seed: key.seed };
}

/** Reads `data` (base64) of such a Secret. The public key is derived from the seed and compared, never believed. */
export function readKeySecret(data: unknown): SigningKey | UnreadableKey {
  const parsed = KeyData.safeParse(data);
  if (!parsed.success) return unreadable('it needs the keys key-id and seed');
  const keyId = text(parsed.data['key-id']);
  const seed = decodeKeyBytes(text(parsed.data.seed));
  if (!KEY_ID.test(keyId)) return unreadable('key-id is not ed25519:<1 to 64 of A-Z a-z 0-9 _>');
  if (seed === undefined) return unreadable('seed is not base64 of 32 bytes');
  if (isWeakSeed(seed)) return { unreadable: 'its seed is not random', reason: 'WeakKey' };
  const key = signingKeyOf(seed, keyId);
  const written = parsed.data['public-key'];
  if (written !== undefined && text(written).replace(/=+$/, '') !== key.publicKey) {
    return unreadable('public-key does not belong to seed');
  }
  return key;
}

/** What the annotations of a key Secret remember of its key; undefined when they do not make sense. */
export function readRemembered(state: string | undefined, expiredTs: string | undefined): Remembered | undefined {
  const known = KEY_STATES.find((one) => one === state);
  if (known === undefined) return undefined;
  const end = z.coerce.number().int().positive().safeParse(expiredTs);
  if (!isOver(known)) return { state: known, expiredTs: undefined };
  return end.success ? { state: known, expiredTs: end.data } : undefined;
}

function text(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8').trim();
}

function unreadable(why: string): UnreadableKey {
  return { unreadable: why, reason: 'KeyMismatch' };
}

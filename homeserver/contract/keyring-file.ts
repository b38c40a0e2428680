import * as z from 'zod';

const base64 = z.string().regex(/^[A-Za-z0-9+/]+$/, 'unpadded base64 is allowed');
const keyId = z.string().regex(/^ed25519:[A-Za-z0-9_]{1,64}$/, 'ed25519:<1 to 64 of A-Z a-z 0-9 _> is allowed');

/** A current key: every key of the list is published and signs the published answer; `active` signs events. */
export const KeyringKey = z
  .strictObject({
    keyId,
    publicKey: base64.length(43),
    /** The 32-byte seed. Only a key that signs no more may lack it: its private half was lost. */
    seed: base64.length(43).optional(),
    state: z.enum(['published', 'active', 'retiring']),
  })
  .refine(({ seed, state }) => seed !== undefined || state === 'retiring', 'only a retiring key may lack its seed');

/** A key that signs no more: published under `old_verify_keys`. */
export const KeyringOldKey = z.strictObject({
  keyId,
  publicKey: base64.length(43),
  /** Unix time in ms after which no signature by this key counts. */
  expiredTs: z.int().positive(),
});

/**
 * `keyring.json`: all signing keys of one server, written by the operator (or by `homeserver keys generate`),
 * watched by every replica, replaced as a whole. `generation` grows with every change.
 */
export const KeyringFile = z.strictObject({
  format: z.literal(1),
  generation: z.int().nonnegative(),
  serverName: z.string().min(1).max(230),
  /** How far ahead `valid_until_ts` lies, in seconds. */
  validitySeconds: z.int().min(7200).max(604_800),
  keys: z.array(KeyringKey).min(1).max(16),
  oldKeys: z.array(KeyringOldKey).max(64),
});

export type KeyringFile = z.infer<typeof KeyringFile>;
export type KeyringKey = z.infer<typeof KeyringKey>;
export type KeyringOldKey = z.infer<typeof KeyringOldKey>;

import * as z from 'zod';
import { mapList, rules } from './cel.ts';
import { SecretKeyRef } from './fields.ts';

/** Latest Unix time in ms that the specification's integers can carry. */
const MAX_TIME_MS = 9_007_199_254_740_991;

const MOVES = `self.state == oldSelf.state || (oldSelf.state == 'Staged' && self.state in ['Published', 'Active'])
 || (oldSelf.state == 'Published' && self.state in ['Active', 'Retired', 'Revoked'])
 || (oldSelf.state == 'Active' && self.state in ['Retired', 'Revoked'])
 || (oldSelf.state == 'Retired' && self.state == 'Revoked')`.replaceAll('\n', '');

const KEEPS_EARLIER = `!has(oldSelf.publicKey) || (has(self.publicKey) && self.publicKey == oldSelf.publicKey
 && self.keyID == oldSelf.keyID && self.expiredTS == oldSelf.expiredTS)`.replaceAll('\n', '');

const KEY_RULES = rules(
  {
    rule: MOVES,
    message: 'a key moves forward only: Staged, Published, Active, Retired, Revoked; name a new key to go back',
  },
  {
    rule: "(self.state == 'Revoked') == has(self.compromisedAt)",
    message: 'compromisedAt is needed with state Revoked and allowed with no other',
  },
  {
    rule: '!has(oldSelf.compromisedAt) || !has(self.compromisedAt) || self.compromisedAt <= oldSelf.compromisedAt',
    message: 'compromisedAt can only become earlier',
  },
  {
    rule: 'has(self.secretRef) == has(oldSelf.secretRef) && (!has(self.secretRef) || self.secretRef == oldSelf.secretRef)',
    message: 'secretRef of a key cannot be changed; name a new key',
  },
  {
    rule: 'has(self.publicKey) == has(self.keyID) && has(self.keyID) == has(self.expiredTS)',
    message: 'publicKey, keyID and expiredTS belong together',
  },
  {
    rule: "!has(self.publicKey) || (self.state in ['Retired', 'Revoked'] && !has(self.secretRef))",
    message: 'publicKey is for a Retired or Revoked key of an earlier server, without secretRef',
  },
  { rule: KEEPS_EARLIER, message: 'publicKey, keyID and expiredTS cannot be changed' },
);

const SigningKeySpec = z
  .object({
    name: z
      .string()
      .min(1)
      .max(16)
      .regex(/^[a-z0-9]+$/)
      .describe('Name of the key within this resource.'),
    state: z
      .enum(['Staged', 'Published', 'Active', 'Retired', 'Revoked'])
      .describe(
        'State that the key shall reach; the operator walks there one state at a time. Staged: made and kept. Published: known to ' +
          'other servers. Active: signs. Retired: signs no more, what it signed stays valid. Revoked: stolen, at once.',
      ),
    secretRef: SecretKeyRef(
      'Bring a key instead of having it made: a signing key file as Synapse writes it, "ed25519 a_AbCd <seed>". It keeps its id. ' +
        'The operator keeps a copy.',
    ).optional(),
    compromisedAt: z
      .string()
      .max(40)
      .optional()
      .describe('For Revoked: since when the key may have been in other hands. No signature after that counts.')
      .meta({ format: 'date-time' }),
    publicKey: z
      .string()
      .regex(/^[A-Za-z0-9+/]{43}$/)
      .max(43)
      .optional()
      .describe('Public half, unpadded base64, of a key that an earlier server of this name used.'),
    keyID: z
      .string()
      .regex(/^ed25519:[A-Za-z0-9_]{1,64}$/)
      .max(72)
      .optional()
      .describe('Its id, ed25519:<version>.'),
    expiredTS: z.int().min(1).max(MAX_TIME_MS).optional().describe('Unix time in ms up to which its signatures count.'),
  })
  .describe('A signing key.')
  .meta(KEY_RULES);

/** `spec.signingKeys`. */
export const SigningKeysSpec = z
  .object({
    validitySeconds: z
      .int()
      .min(7200)
      .max(604_800)
      .default(86_400)
      .describe('How far ahead valid_until_ts of the published keys lies, in seconds.'),
    keys: z
      .array(SigningKeySpec)
      .max(16)
      .default([{ name: 'k1', state: 'Active' }])
      .describe('The signing keys. A key that was published is never removed.')
      .meta({
        ...mapList('name'),
        ...rules(
          { rule: "self.filter(k, k.state == 'Active').size() == 1", message: 'exactly one key must be Active' },
          {
            rule: "oldSelf.all(o, o.state == 'Staged' || self.exists(k, k.name == o.name))",
            message: 'only a Staged key can be removed; set its state to Retired',
          },
        ),
      }),
  })
  .prefault({ validitySeconds: 86_400, keys: [{ name: 'k1', state: 'Active' }] })
  .describe('The keys that sign events and answers of this server.');

export type SigningKeysSpec = z.infer<typeof SigningKeysSpec>;

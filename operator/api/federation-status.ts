import * as z from 'zod';

/**
 * Every way in which a look from outside can fail, with its meaning for `docs/reference/conditions.md`. A closed set: no
 * text of the other side ever becomes part of a status, so nobody can look into a network through it.
 */
export const FEDERATION_FAILURES = {
  NameNotFound: 'The name has no address in DNS.',
  DNSFailed: 'DNS did not answer.',
  PrivateAddress: 'The name leads to an address that is not public.',
  ConnectionFailed: 'No connection, or it broke.',
  Timeout: 'No complete answer in time.',
  TLSInvalid: 'The certificate is not valid for the name, or TLS failed.',
  BadStatus: 'The answer has an HTTP status other than 200.',
  TooLarge: 'The answer is longer than 64 KiB.',
  Malformed: 'The answer is not what the Matrix specification asks for.',
  BadSignature: 'The answer is not signed by the keys that it lists.',
  WrongServerName: 'The answer is for another server name.',
  Expired: 'The answer is no longer valid.',
  NoKeys: 'The notary has no keys of this server.',
  ForeignKeys: 'The answer lists a key that is not in the ledger of this server.',
  KeyNotVisible: 'The answer lacks the active key.',
  WellKnownMismatch: '/.well-known/matrix/server delegates to a server that is not this one.',
} as const satisfies Record<string, string>;

export type FederationFailure = keyof typeof FEDERATION_FAILURES;

/** Longest list of key ids that is taken from outside. */
export const MAX_KEYS_SEEN = 64;

const failures = Object.keys(FEDERATION_FAILURES);

/** `status.federation`. */
export const FederationStatus = z
  .object({
    vantage: z.string().max(230).optional().describe('Direct, or the notary that was asked last.'),
    keyIDsSeen: z
      .array(z.string().max(80).describe('A key id, such as ed25519:5vq7m2kd4a.'))
      .max(MAX_KEYS_SEEN)
      .optional()
      .describe('Ids of the keys that a valid answer lists for this server name.'),
    delegatedTo: z
      .string()
      .max(300)
      .optional()
      .describe('Where /.well-known/matrix/server of the server name leads other servers.'),
    error: z
      .string()
      .max(32)
      .optional()
      .describe(`What is wrong, one of ${failures.join(', ')}. Absent when the keys match.`),
  })
  .describe('This server as other Matrix servers see it.');

export type FederationStatus = z.infer<typeof FederationStatus>;

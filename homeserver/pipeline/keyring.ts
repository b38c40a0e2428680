import type { ServerName } from '../room/identifiers.ts';
import type { SigningKey } from '../room/event-signature.ts';

/** A key whose signatures count now, as `/_matrix/key/v2/server` publishes it. */
export interface VerifyKey {
  keyId: `ed25519:${string}`;
  publicKeyBase64: string;
}

/** A key that signs no more. */
export interface OldVerifyKey extends VerifyKey {
  /** Unix ms after which no signature by this key counts. */
  expiredTs: number;
}

/** The signing keys of this server as the newest valid keyring file holds them; every call answers for that moment. */
export interface Keyring {
  readonly serverName: ServerName;
  readonly generation: number;
  /** How far ahead `valid_until_ts` lies, in seconds. */
  readonly validitySeconds: number;
  /** The key that signs events and answers. */
  active(): SigningKey;
  verifyKeys(): readonly VerifyKey[];
  oldKeys(): readonly OldVerifyKey[];
  /** Stops watching the file. */
  close(): void;
}

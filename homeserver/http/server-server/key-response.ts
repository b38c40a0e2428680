import type { Keyring } from '../../pipeline/keyring.ts';
import { signJson } from '../../room/event-signature.ts';
import type { SigningKey } from '../../room/event-signature.ts';
import { canonicalJson, type JsonObject } from '../../room/canonical-json.ts';

/** What publishing takes beyond signing events. */
export interface PublishedKeyring extends Keyring {
  /** Every current key, the active one first: each signs the published answer. */
  signing(): readonly SigningKey[];
  /** Calls `listener` after each accepted change of the keys; gives back its own removal. */
  onChange(listener: () => void): () => void;
}

/**
 * The signed answer of GET /_matrix/key/v2/server as JSON text: `valid_until_ts` lies V = `validitySeconds` ahead when it is
 * made, and it is made again when less than V/2 is left or the keyring changes.
 * Spec: server-server API, "Publishing Keys" (v1.19).
 */
export class KeyResponse {
  readonly #keyring: PublishedKeyring;
  readonly #now: () => number;
  #made: { generation: number; validUntil: number; text: string } | undefined;

  constructor(keyring: PublishedKeyring, now: () => number = () => Date.now()) {
    this.#keyring = keyring;
    this.#now = now;
  }

  text(): string {
    const half = (this.#keyring.validitySeconds * 1000) / 2;
    const made = this.#made;
    if (made !== undefined && made.generation === this.#keyring.generation && made.validUntil - this.#now() >= half) {
      return made.text;
    }
    const validUntil = this.#now() + this.#keyring.validitySeconds * 1000;
    const text = this.#make(validUntil);
    this.#made = { generation: this.#keyring.generation, validUntil, text };
    return text;
  }

  #make(validUntil: number): string {
    const keyring = this.#keyring;
    const { serverName } = keyring;
    const unsigned: JsonObject = {
      server_name: serverName,
      valid_until_ts: validUntil,
      verify_keys: Object.fromEntries(keyring.verifyKeys().map(({ keyId, publicKeyBase64: key }) => [keyId, { key }])),
      old_verify_keys: Object.fromEntries(
        keyring.oldKeys().map(({ keyId, publicKeyBase64: key, expiredTs }) => [keyId, { key, expired_ts: expiredTs }]),
      ),
    };
    const sign = (object: JsonObject, key: SigningKey): JsonObject => signJson(object, serverName, key);
    // As it was signed: some check the text itself.
    return canonicalJson(keyring.signing().reduce<JsonObject>(sign, unsigned));
  }
}

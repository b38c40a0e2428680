import { createPublicKey, verify } from 'node:crypto';
import * as z from 'zod';

/*
 * Another Matrix server as far as it checks our signatures, written from the specification alone and sharing nothing with
 * the code under test. Spec: server-server API, "Retrieving server keys" and "Validating hashes and signatures on received
 * events"; room versions 5 and later, "Signing key validity period".
 */

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
const Json: z.ZodType<Json> = z.json();
const Signed = z.record(z.string(), Json);
const Answer = z.looseObject({
  server_name: z.string(),
  valid_until_ts: z.number(),
  verify_keys: z.record(z.string(), z.looseObject({ key: z.string() })),
  old_verify_keys: z.record(z.string(), z.looseObject({ key: z.string(), expired_ts: z.number() })),
  signatures: z.record(z.string(), z.record(z.string(), z.string())),
});
const Event = z.looseObject({
  type: z.string(),
  origin_server_ts: z.number(),
  signatures: z.record(z.string(), z.record(z.string(), z.string())),
});

const WEEK_MS = 7 * 86_400_000;
/** How often a server asks for keys before it gives up an event. */
const TRIES = 6;
/** What redaction leaves of an event that is not state; its content goes. Room version 11. */
const KEPT = ['type', 'room_id', 'sender', 'hashes', 'depth', 'prev_events', 'auth_events', 'origin_server_ts'];

interface KnownKey {
  readonly key: string;
  /** Unix ms up to which signatures count. */
  readonly until: number;
}

/** How a server keeps what it fetched. */
export class RemoteServer {
  /** What it could not accept, for people. */
  readonly faults: string[] = [];
  checked = 0;
  readonly #serverName: string;
  readonly #urls: () => readonly string[];
  readonly #keys = new Map<string, KnownKey>();
  #turn = 0;

  constructor(serverName: string, urls: () => readonly string[]) {
    this.#serverName = serverName;
    this.#urls = urls;
  }

  /**
   * Asks one replica after the other, as a load balancer would spread it; after 503 again, a few times. Then it goes on with what
   * it knows, as servers do whose question is not answered.
   */
  async fetchKeys(): Promise<void> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const urls = this.#urls();
      const url = urls[(this.#turn += 1) % urls.length];
      const response = await fetch(`${url}/_matrix/key/v2/server`, { signal: AbortSignal.timeout(10_000) });
      const json = Signed.parse(await response.json());
      if (response.status !== 503) return this.#learnFrom(json);
    }
  }

  #learnFrom(json: Record<string, Json>): void {
    const answer = Answer.parse(json);
    const listed = Object.entries(answer.verify_keys).map(([id, { key }]) => ({ id, key }));
    const signatures = answer.signatures[this.#serverName] ?? {};
    const signed = listed.filter(({ id }) => signatures[id] !== undefined);
    if (answer.server_name !== this.#serverName || signed.length === 0)
      return this.#fault('an answer signed by none of its keys');
    for (const { id, key } of signed) {
      if (!isSigned(json, key, signatures[id] ?? '')) return this.#fault(`an answer whose signature by ${id} is wrong`);
    }
    const until = Math.min(answer.valid_until_ts, Date.now() + WEEK_MS);
    for (const { id, key } of listed) this.#learn(id, { key, until });
    for (const [id, { key, expired_ts: end }] of Object.entries(answer.old_verify_keys))
      this.#learn(id, { key, until: end });
  }

  #learn(id: string, known: KnownKey): void {
    const before = this.#keys.get(id);
    if (before !== undefined && before.key !== known.key) this.#fault(`${id} came to name two keys`);
    this.#keys.set(id, known);
  }

  /** Accepts an event or notes why not; asks for the keys again, once, before it says no. */
  async receive(text: string): Promise<void> {
    this.checked += 1;
    if (this.#problemOf(text) === undefined) return;
    await this.fetchKeys();
    const problem = this.#problemOf(text);
    if (problem !== undefined) this.#fault(problem);
  }

  #problemOf(text: string): string | undefined {
    const json = Signed.parse(JSON.parse(text));
    const event = Event.parse(json);
    const [id, signature] = Object.entries(event.signatures[this.#serverName] ?? {})[0] ?? ['no key', ''];
    const known = this.#keys.get(id);
    if (known === undefined) return `an event by ${id}, which is not published`;
    if (event.origin_server_ts > known.until) {
      return `an event of ${event.origin_server_ts} by ${id}, whose signatures count up to ${known.until}`;
    }
    const redacted = {
      ...Object.fromEntries(Object.entries(json).filter(([field]) => KEPT.includes(field))),
      content: {},
    };
    return isSigned(redacted, known.key, signature) ? undefined : `an event whose signature by ${id} is wrong`;
  }

  #fault(what: string): void {
    this.faults.push(what);
  }
}

function isSigned(json: Record<string, Json>, publicKey: string, signature: string): boolean {
  const covered = Object.fromEntries(
    Object.entries(json).filter(([field]) => field !== 'signatures' && field !== 'unsigned'),
  );
  const x = Buffer.from(publicKey, 'base64').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, Buffer.from(canonical(covered)), key, Buffer.from(signature, 'base64'));
}

/** Keys in order, no white space. All keys and numbers of our events are plain, so the platform's own order will do. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const names = Object.keys(value).sort((a, b) => (a < b ? -1 : 1));
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`).join(',')}}`;
}

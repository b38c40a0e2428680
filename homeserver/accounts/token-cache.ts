import { EndSignal } from '../end-signal.ts';
import { background } from '../log.ts';
import type { Logger } from '../log.ts';
import type { CacheFigures } from '../metrics.ts';
import type { Store } from '../storage/store.ts';
import type { UserId } from '../room/identifiers.ts';
import { parseUserId } from '../room/identifiers.ts';
import { selectTokenOwners } from '../storage/tables/access_tokens.ts';
import type { TokenOwnerRow } from '../storage/tables/access_tokens.ts';
import { hashToken } from './tokens.ts';

/** Who an access token was given to. */
export interface TokenOwner {
  userId: UserId;
  userNo: number;
  deviceId: string;
  deviceNo: number;
  /** SHA-256 of the token, hex. */
  tokenHash: string;
}

/** Most tokens kept, about 20 MB. */
const MAX_ENTRIES = 50_000;
const ENTRY_BYTES = 400;

/** How long an answer holds: what another replica revoked works here no longer than this if its message was lost. */
const FRESH_MS = 1000;

/** Most tokens in one query. */
const MAX_BATCH = 500;

const MESSAGE = 'tokens:';

/** Of one request. */
export interface SessionWatch {
  readonly signal: EndSignal;
  isEnded(): Promise<boolean>;
  stop(): void;
}

interface Entry {
  owner: TokenOwner;
  /** Monotonic ms of the query that found it. */
  at: number;
}

interface Waiting {
  promise: Promise<TokenOwner | undefined>;
  resolve(owner: TokenOwner | undefined): void;
  reject(error: unknown): void;
}

/**
 * Token -> owner. A positive answer is kept for a second; a negative one never. Look-ups that come while one is under way
 * share the next query, so a busy replica asks for all its tokens together.
 */
export class TokenCache {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #watching = new Map<number, Set<EndSignal>>();
  readonly #stop: (() => void)[];
  #asking = false;
  #hits = 0;
  #misses = 0;
  /** Grows with every revocation: an answer asked for before it is not kept. */
  #epoch = 0;

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
    this.#stop = [
      store.caches.watch('access_tokens', this),
      store.feed.onReset(() => {
        this.#dropAll();
      }),
      store.feed.onVolatile((message) => {
        if (message.startsWith(MESSAGE)) this.#drop(parseDevices(message.slice(MESSAGE.length)));
      }),
    ];
  }

  figures(): CacheFigures {
    const { size: entries } = this.#entries;
    return { entries, bytes: entries * ENTRY_BYTES, hits: this.#hits, misses: this.#misses };
  }

  /** The owner of a token, at once if it was looked up within a second; undefined when it is unknown, revoked or expired. */
  ownerOf(token: string): TokenOwner | Promise<TokenOwner | undefined> {
    const key = hashToken(token);
    const entry = this.#entries.get(key);
    if (entry !== undefined && performance.now() - entry.at < FRESH_MS) {
      this.#hits += 1;
      return entry.owner;
    }
    this.#misses += 1;
    return this.#waiting.get(key)?.promise ?? this.#lookUp(key);
  }

  #lookUp(key: string): Promise<TokenOwner | undefined> {
    const waiting = Promise.withResolvers<TokenOwner | undefined>();
    this.#waiting.set(key, waiting);
    if (!this.#asking) background(this.#askAll(), this.#log, 'look up access tokens');
    return waiting.promise;
  }

  /** Call after the tokens of these devices were deleted and that is committed; other replicas are told. */
  revoked(deviceNos: readonly number[]): void {
    this.#drop(new Set(deviceNos));
    for (let i = 0; i < deviceNos.length; i += 200) {
      const some = deviceNos.slice(i, i + 200).map((no) => no.toString(36));
      this.#store.feed.publishVolatile(MESSAGE + some.join(','));
    }
  }

  /**
   * Fires when tokens of the owner's device are revoked, for requests that last longer than the look at their token; `stop` ends the
   * watch. A message of another replica may be lost: then the request goes on to its end. It may also be late, and be about the token
   * before this one: `isEnded` asks whether this one is.
   */
  watch({ deviceNo, tokenHash }: Pick<TokenOwner, 'deviceNo' | 'tokenHash'>): SessionWatch {
    const signal = new EndSignal();
    const watchers = this.#watching.get(deviceNo) ?? new Set();
    this.#watching.set(deviceNo, watchers.add(signal));
    const stop = () => {
      if (watchers.delete(signal) && watchers.size === 0) this.#watching.delete(deviceNo);
    };
    const isEnded = async () => signal.isOver && !(await this.#isKnown(tokenHash));
    return { signal, isEnded, stop };
  }

  close(): void {
    for (const stop of this.#stop) stop();
  }

  async #isKnown(tokenHash: string): Promise<boolean> {
    const hash = Buffer.from(tokenHash, 'hex');
    return (await selectTokenOwners(this.#store.db, [hash], Date.now())).length > 0;
  }

  async #askAll(): Promise<void> {
    this.#asking = true;
    try {
      while (this.#waiting.size > 0) await this.#ask();
    } finally {
      this.#asking = false;
    }
  }

  async #ask(): Promise<void> {
    const batch = [...this.#waiting].slice(0, MAX_BATCH);
    for (const [key] of batch) this.#waiting.delete(key);
    const [at, epoch] = [performance.now(), this.#epoch];
    try {
      const hashes = batch.map(([key]) => Buffer.from(key, 'hex'));
      const rows = await selectTokenOwners(this.#store.db, hashes, Date.now());
      const found = new Map(rows.map((row) => [row.token_hash, toOwner(row)]));
      for (const [key, waiting] of batch)
        this.#settle(key, waiting, found.get(key), epoch === this.#epoch ? at : undefined);
    } catch (error) {
      for (const [, waiting] of batch) waiting.reject(error);
    }
  }

  #settle(key: string, waiting: Waiting, owner: TokenOwner | undefined, at: number | undefined): void {
    this.#entries.delete(key);
    if (owner !== undefined && at !== undefined) this.#keep(key, { owner, at });
    waiting.resolve(owner);
  }

  #keep(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    if (this.#entries.size <= MAX_ENTRIES) return;
    const oldest = this.#entries.keys().next();
    if (oldest.done !== true) this.#entries.delete(oldest.value);
  }

  #drop(deviceNos: ReadonlySet<number>): void {
    this.#epoch += 1;
    for (const [key, { owner }] of this.#entries) if (deviceNos.has(owner.deviceNo)) this.#entries.delete(key);
    for (const deviceNo of deviceNos) for (const watcher of this.#watching.get(deviceNo) ?? []) watcher.end();
  }

  #dropAll(): void {
    this.#epoch += 1;
    this.#entries.clear();
  }
}

function toOwner(row: TokenOwnerRow): TokenOwner | undefined {
  const userId = parseUserId(row.user_id);
  return (
    userId && {
      userId,
      userNo: row.user_no,
      deviceId: row.device_id,
      deviceNo: row.device_no,
      tokenHash: row.token_hash,
    }
  );
}

function parseDevices(text: string): ReadonlySet<number> {
  return new Set(text.split(',').map((part) => Number.parseInt(part, 36)));
}

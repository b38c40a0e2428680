import type { Queryable } from './database.ts';
import { REPLICA_DEAD_MS, selectReplicas } from './tables/replica.ts';
import type { CommitFeed } from './write-batch.ts';

/** For how long one look at the table tells that nobody else writes, ms. */
const ALONE_MS = 1500;
const LOOK_EVERY_MS = 1000;
/** How long a new process waits with its first write for those that do not say that they know of it: longer than any of their looks holds. */
const UNKNOWN_MS = ALONE_MS + 500;
/** A process that is silent for longer does not look: when it counts as dead, nothing that it saw holds any more. */
const MAX_SILENT_MS = REPLICA_DEAD_MS - 2 * UNKNOWN_MS;

const JOINED = 'replica-joined:';
const KNOWN = 'replica-known:';

/** A moment by both clocks: the monotonic one stands still while a machine sleeps, the other may be set back. */
interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

export interface SoleReplicaOptions {
  readonly db: Queryable;
  readonly feed: Pick<CommitFeed, 'onVolatile' | 'publishVolatile'> & { readNow(): Promise<void> };
  readonly replicaNo: number;
}

/**
 * Whether this process is the only one that writes, so that whatever was acknowledged went through it. Being alone is a lease: who
 * looked at the table of processes and found no other, and then read the commits, is alone for a while; a new process enters itself
 * into the table first, and writes nothing until every other one knows of it or must have looked again.
 */
export class SoleReplica {
  readonly #options: SoleReplicaOptions;
  readonly #remove: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #unaware = new Set<number>();
  readonly #allKnow = Promise.withResolvers<void>();
  #since: Moment | undefined;
  /** Grows when another process is heard of: a look that began before says nothing any more. */
  #epoch = 0;
  #isLooking = false;

  constructor(options: SoleReplicaOptions) {
    this.#options = options;
    this.#remove = options.feed.onVolatile((message) => {
      this.#onMessage(message);
    });
    this.#timer = setInterval(() => {
      this.#look().catch(() => undefined);
    }, LOOK_EVERY_MS);
  }

  /** To be awaited before the first write: from then on every other process reads what this one writes. */
  async join(): Promise<void> {
    const { db, replicaNo } = this.#options;
    const living = (await selectReplicas(db)).filter((row) => row.silent_ms < REPLICA_DEAD_MS);
    for (const { replica_no: other } of living) if (other !== replicaNo) this.#unaware.add(other);
    if (this.#unaware.size === 0) {
      this.#allKnow.resolve();
      return;
    }
    setTimeout(this.#allKnow.resolve, UNKNOWN_MS).unref();
    this.#options.feed.publishVolatile(JOINED + String(replicaNo));
  }

  /** Resolves when every other process knows of this one. */
  get isKnown(): Promise<void> {
    return this.#allKnow.promise;
  }

  /** True only when nobody else has written, and what everybody has written up to the last look has been read. */
  get isAlone(): boolean {
    const since = this.#since;
    if (since === undefined) return false;
    const { monotonic, wall } = now();
    return isWithin(monotonic - since.monotonic) && isWithin(wall - since.wall);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#since = undefined;
    this.#remove();
  }

  /** Others first, commits after: those who have gone wrote before they went. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const [began, epoch] = [now(), this.#epoch];
    try {
      const isAlone = this.#isOnlyRow(await selectReplicas(this.#options.db));
      if (isAlone) await this.#options.feed.readNow();
      if (epoch === this.#epoch) this.#since = isAlone ? began : undefined;
    } finally {
      this.#isLooking = false;
    }
  }

  /** A row of a dead process counts: it may come to life again. */
  #isOnlyRow(rows: readonly { replica_no: number; silent_ms: number }[]): boolean {
    const [own] = rows;
    return rows.length === 1 && own?.replica_no === this.#options.replicaNo && own.silent_ms < MAX_SILENT_MS;
  }

  #onMessage(message: string): void {
    if (message.startsWith(JOINED)) this.#onJoined(message.slice(JOINED.length));
    else if (message.startsWith(KNOWN)) this.#onKnown(message.slice(KNOWN.length));
  }

  #onJoined(replicaNo: string): void {
    if (replicaNo === String(this.#options.replicaNo)) return;
    this.#epoch += 1;
    this.#since = undefined;
    this.#options.feed.publishVolatile(`${KNOWN}${replicaNo}/${this.#options.replicaNo}`);
  }

  #onKnown(answer: string): void {
    const [replicaNo, by] = answer.split('/');
    if (replicaNo !== String(this.#options.replicaNo)) return;
    this.#unaware.delete(Number(by));
    if (this.#unaware.size === 0) this.#allKnow.resolve();
  }
}

function now(): Moment {
  return { monotonic: performance.now(), wall: Date.now() };
}

function isWithin(ms: number): boolean {
  return ms >= 0 && ms < ALONE_MS;
}

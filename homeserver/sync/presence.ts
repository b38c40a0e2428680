import { MatrixError } from '../errors.ts';
import { background } from '../log.ts';
import type { Logger } from '../log.ts';
import type { CacheFigures } from '../metrics.ts';
import type { Database, Queryable } from '../storage/database.ts';
import { lockDuePresence, lockPresence, touchPresence, updatePresence } from '../storage/tables/presence.ts';
import type { LockedPresenceRow } from '../storage/tables/presence.ts';
import type { PresenceFeed } from './presence-feed.ts';
import { presenceOf, updateOf } from './presence-rows.ts';
import { observe, settle } from './presence-state.ts';
import type { Observation, Presence } from './presence-state.ts';

/** How long a device counts after a poll has ended, ms: long enough for the next one. */
const GRACE_MS = 60_000;
/** Activity is written down at most this often for a device, ms; the time that is told is at most that old. */
const ACTIVE_EVERY_MS = 10_000;
/** Users of whom it is remembered what was written, about 20 MB, and devices of one user. */
const MAX_NOTED = 50_000;
const MAX_NOTED_DEVICES = 64;
const NOTED_BYTES = 400;
/** Observations that wait; beyond that they are dropped, the next sync brings the same. */
const MAX_WAITING = 10_000;
const MAX_AT_ONCE = 200;

interface Noted {
  declared: 'online' | 'unavailable' | undefined;
  until: number;
  activeAt: number;
}

interface Waiting {
  readonly userNo: number;
  readonly seen: Observation;
  readonly done?: { resolve: () => void; reject: (error: unknown) => void };
}

/** Whose presence it is. */
export interface PresentUser {
  readonly userNo: number;
  readonly deviceNo: number;
}

/**
 * What is heard of users goes into the table, several at once: at once when idle, while one write is under way the next are gathered.
 * What says nothing new is not written.
 */
export class PresenceWriter {
  readonly #db: Database;
  readonly #feed: PresenceFeed;
  readonly #log: Logger;
  /** User -> device -> what this replica wrote of it last. */
  readonly #noted = new Map<number, Map<number, Noted>>();
  #waiting: Waiting[] = [];
  #hits = 0;
  #misses = 0;
  #running: Promise<void> | undefined;

  constructor(db: Database, feed: PresenceFeed, log: Logger) {
    this.#db = db;
    this.#feed = feed;
    this.#log = log;
  }

  /** A device syncs, for at most `pollMs`. One that hides is not heard of. */
  noteSync({ userNo, deviceNo }: PresentUser, declared: 'online' | 'unavailable', pollMs: number): void {
    const noted = this.#notedOf(userNo, deviceNo);
    const needed = Date.now() + pollMs;
    if (this.#count(noted.declared === declared && noted.until >= needed + GRACE_MS / 2)) return;
    const forMs = pollMs + GRACE_MS;
    noted.declared = declared;
    noted.until = Date.now() + forMs;
    this.#note({ userNo, seen: { kind: 'sync', deviceNo, declared, forMs } });
  }

  /** A user has done something (sent a message, say). */
  noteActive({ userNo, deviceNo }: PresentUser): void {
    const noted = this.#notedOf(userNo, deviceNo);
    const now = Date.now();
    if (this.#count(now - noted.activeAt < ACTIVE_EVERY_MS)) return;
    noted.activeAt = now;
    this.#note({ userNo, seen: { kind: 'active', deviceNo } });
  }

  /** Sets what a device says of its user. Resolves when that is committed. */
  set(user: PresentUser, declared: Presence['state'], statusMsg: string | null): Promise<void> {
    const { userNo, deviceNo } = user;
    const seen: Observation = { kind: 'set', deviceNo, declared, statusMsg, forMs: GRACE_MS };
    this.forget(userNo);
    return new Promise((resolve, reject) => {
      this.#note({ userNo, seen, done: { resolve, reject } });
    });
  }

  /** A user has another name or avatar, which presence tells too. Spec: client-server API, "Events on Change of Profile Information" (v1.19). */
  async noteProfile(userNo: number): Promise<void> {
    if (await touchPresence(this.#db, userNo)) this.#feed.announce([userNo]);
  }

  /** What was written of a user may no longer hold: the next sync is written down. */
  forget(userNo: number): void {
    this.#noted.delete(userNo);
  }

  /** After a failover what was written may be lost. */
  forgetAll(): void {
    this.#noted.clear();
  }

  figures(): CacheFigures {
    const { size: entries } = this.#noted;
    return { entries, bytes: entries * NOTED_BYTES, hits: this.#hits, misses: this.#misses };
  }

  #count(isKnown: boolean): boolean {
    if (isKnown) this.#hits += 1;
    else this.#misses += 1;
    return isKnown;
  }

  /** Brings rows up to date that time has made untrue. Every replica may do this at any time. */
  async sweep(): Promise<void> {
    const changed = await this.#db.transaction(async (db) => {
      const rows = await lockDuePresence(db, MAX_AT_ONCE);
      return apply(db, rows, (before, row) => settle(before, row.now));
    });
    this.#feed.announce(changed);
  }

  /** Resolves when everything noted so far is written or dropped. */
  async settled(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }

  #notedOf(userNo: number, deviceNo: number): Noted {
    const devices = this.#noted.get(userNo) ?? new Map<number, Noted>();
    this.#noted.delete(userNo);
    this.#noted.set(userNo, devices);
    const oldest = this.#noted.keys().next();
    if (this.#noted.size > MAX_NOTED && oldest.done !== true) this.#noted.delete(oldest.value);
    const known = devices.get(deviceNo);
    if (known !== undefined) return known;
    const noted: Noted = { declared: undefined, until: 0, activeAt: 0 };
    if (devices.size >= MAX_NOTED_DEVICES) devices.clear();
    devices.set(deviceNo, noted);
    return noted;
  }

  #note(waiting: Waiting): void {
    if (this.#waiting.length >= MAX_WAITING) {
      waiting.done?.reject(new MatrixError('M_LIMIT_EXCEEDED', undefined, { fields: { retry_after_ms: 1000 } }));
      return;
    }
    this.#waiting.push(waiting);
    if (this.#running !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
    background(this.#running, this.#log, 'write presence');
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_AT_ONCE);
      try {
        this.#feed.announce(await this.#write(batch));
        for (const { done } of batch) done?.resolve();
      } catch (error) {
        for (const { userNo, done } of batch) {
          this.forget(userNo);
          done?.reject(error);
        }
        this.#log.warn({ err: error, count: batch.length }, 'presence was not written down');
      }
    }
  }

  async #write(batch: readonly Waiting[]): Promise<number[]> {
    const byUser = Map.groupBy(batch, (waiting) => waiting.userNo);
    return this.#db.transaction(async (db) => {
      const rows = await lockPresence(db, [...byUser.keys()]);
      return apply(db, rows, (before, row) => {
        const seen = byUser.get(row.user_no) ?? [];
        return seen.reduce((presence, waiting) => observe(presence, waiting.seen, row.now), before);
      });
    });
  }
}

/** Writes the rows and gives the users of whom others are to be told something. */
async function apply(
  db: Queryable,
  rows: readonly LockedPresenceRow[],
  change: (before: Presence, row: LockedPresenceRow) => Presence,
): Promise<number[]> {
  if (rows.length === 0) return [];
  const updates = rows.map((row) => {
    const before = presenceOf(row);
    return updateOf(row.user_no, before, change(before, row));
  });
  await updatePresence(db, updates);
  return updates.filter((update) => update.changed).map((update) => update.user_no);
}

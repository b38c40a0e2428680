import * as z from 'zod';
import { background } from '../log.ts';
import type { Logger } from '../log.ts';
import { parsePlainJson } from '../room/strict-json.ts';
import type { CacheFigures } from '../metrics.ts';
import type { Queryable } from '../storage/database.ts';
import { selectChangedPresence, selectNewestPresence, selectPresenceAfter } from '../storage/tables/presence.ts';
import type { ChangedPresenceRow } from '../storage/tables/presence.ts';
import type { CommitFeed } from '../storage/write-batch.ts';
import type { Notifier } from './notifier.ts';
import type { Interest } from './recent-commits.ts';
import type { VolatileSerial } from './volatile-serial.ts';

/** Changes remembered, one a user; who asks for older ones has them from the table. */
const MAX_CHANGES = 4096;
/** Rooms of all users whose changes are remembered, 8 bytes each. */
const MAX_CHANGED_ROOMS = 1_000_000;
const CHANGE_BYTES = 600;
/** Pause between two looks at the table, ms: polls are woken at most that often for presence. */
const GATHER_MS = 200;
/** Changes become visible out of order, and at different moments to different replicas: so much is looked at twice, ms. */
export const PRESENCE_SLACK_MS = 10_000;
/** Users in one message to the other replicas (4,000 bytes). */
const MESSAGE_USERS = 200;
const MAX_AT_ONCE = 500;

/** A change of a user's presence as this replica learned of it. */
export interface PresenceChange {
  readonly row: ChangedPresenceRow;
  readonly serial: number;
  /** What the database's clock shows beyond ours, ms. */
  readonly clockAheadMs: number;
}

const PresenceMessage = z.object({ kind: z.literal('presence'), users: z.array(z.int()).max(MESSAGE_USERS) });

interface FeedParts {
  readonly db: Queryable;
  readonly feed: CommitFeed;
  readonly notifier: Notifier;
  readonly serial: VolatileSerial;
  readonly log: Logger;
}

/**
 * The newest changes of presence in memory, so that a poll costs no query for them. The table is the truth: replicas tell each other
 * only whose presence has changed, and a lost message is made up for by `catchUp`.
 */
export class PresenceFeed {
  readonly #parts: FeedParts;
  readonly #changes = new Map<number, PresenceChange>();
  readonly #waiting = new Set<number>();
  readonly #heard: (userNo: number) => void;
  readonly #remove: (() => void)[];
  #rooms = 0;
  #floor = 0;
  #hits = 0;
  #misses = 0;
  #newest = 0;
  #newestSerial = 0;
  #running = false;
  #closed = false;

  /** `heard` is called with each user whose presence may be another than this replica thought. */
  constructor(parts: FeedParts, heard: (userNo: number) => void) {
    this.#parts = parts;
    this.#heard = heard;
    this.#remove = [
      parts.feed.onVolatile((message) => {
        for (const userNo of usersOf(message)) this.#add(userNo);
      }),
      parts.feed.onReset(() => {
        this.#dropAll();
      }),
    ];
  }

  /** Time of the newest change known here, by the database's clock, Unix ms; 0: none. */
  get newest(): number {
    return this.#newest;
  }

  /** Tells this replica and all others that the presence of these users has changed. */
  announce(userNos: readonly number[]): void {
    for (let at = 0; at < userNos.length; at += MESSAGE_USERS) {
      const users = userNos.slice(at, at + MESSAGE_USERS);
      this.#parts.feed.publishVolatile(JSON.stringify({ kind: 'presence', users }));
    }
    for (const userNo of userNos) this.#add(userNo);
  }

  /**
   * Changes after a serial number of this replica that concern somebody: of users whose rooms they share, and their own. Undefined
   * when only the table knows.
   */
  changesSince(interest: Interest, serial: number): PresenceChange[] | undefined {
    if (serial >= this.#newestSerial) return [];
    if (serial < this.#floor) {
      this.#misses += 1;
      return undefined;
    }
    this.#hits += 1;
    return [...this.#changes.values()].filter(
      ({ row, serial: own }) =>
        own > serial && (row.user_no === interest.userNo || row.rooms.some((room) => interest.rooms.has(room))),
    );
  }

  /** Whether `changesSince` would give anything of somebody else, or may. */
  hasChangedSince(interest: Interest, serial: number): boolean {
    if (serial >= this.#newestSerial) return false;
    return this.changesSince(interest, serial)?.some(({ row }) => row.user_no !== interest.userNo) !== false;
  }

  /** Reads what other replicas wrote and this one has not heard of. */
  async catchUp(): Promise<void> {
    const { db } = this.#parts;
    if (this.#newest === 0) {
      this.#newest = await selectNewestPresence(db);
      return;
    }
    const rows = await selectPresenceAfter(db, this.#newest - PRESENCE_SLACK_MS, MAX_AT_ONCE);
    for (const row of rows)
      if (this.#changes.get(row.user_no)?.row.changed_at !== row.changed_at) this.#add(row.user_no);
  }

  figures(): CacheFigures {
    const { size: entries } = this.#changes;
    return { entries, bytes: entries * CHANGE_BYTES + 8 * this.#rooms, hits: this.#hits, misses: this.#misses };
  }

  close(): void {
    this.#closed = true;
    for (const remove of this.#remove) remove();
  }

  #add(userNo: number): void {
    if (this.#closed) return;
    this.#heard(userNo);
    this.#waiting.add(userNo);
    if (this.#running) return;
    this.#running = true;
    background(this.#run(), this.#parts.log, 'read presence');
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.size > 0 && !this.#closed) {
        await this.#read();
        await new Promise((resolve) => setTimeout(resolve, GATHER_MS).unref());
      }
    } finally {
      this.#running = false;
    }
  }

  async #read(): Promise<void> {
    const userNos = [...this.#waiting].slice(0, MAX_AT_ONCE);
    for (const userNo of userNos) this.#waiting.delete(userNo);
    const rows = await selectChangedPresence(this.#parts.db, userNos);
    const fresh = rows.filter((row) => this.#changes.get(row.user_no)?.row.changed_at !== row.changed_at);
    for (const row of fresh) this.#remember(row);
    this.#wake(fresh);
  }

  #remember(row: ChangedPresenceRow): void {
    this.#drop(row.user_no);
    this.#newestSerial = this.#parts.serial.next();
    this.#changes.set(row.user_no, { row, serial: this.#newestSerial, clockAheadMs: row.now - Date.now() });
    this.#rooms += row.rooms.length;
    this.#newest = Math.max(this.#newest, row.changed_at);
    for (const [userNo, { serial }] of this.#changes) {
      if (this.#changes.size <= MAX_CHANGES && this.#rooms <= MAX_CHANGED_ROOMS) return;
      this.#floor = serial;
      this.#drop(userNo);
    }
  }

  #drop(userNo: number): void {
    this.#rooms -= this.#changes.get(userNo)?.row.rooms.length ?? 0;
    this.#changes.delete(userNo);
  }

  /** After a failover the newest rows may be lost, and numbers may be others': only the table knows. */
  #dropAll(): void {
    this.#floor = this.#newestSerial;
    this.#newest = 0;
    this.#rooms = 0;
    this.#changes.clear();
  }

  #wake(rows: readonly ChangedPresenceRow[]): void {
    for (const room of new Set(rows.flatMap((row) => row.rooms))) this.#parts.notifier.wakeRoom(room);
  }
}

function usersOf(text: string): readonly number[] {
  if (!text.startsWith('{"kind":"presence"')) return [];
  try {
    const parsed = PresenceMessage.safeParse(parsePlainJson(text));
    return parsed.success ? parsed.data.users : [];
  } catch {
    return [];
  }
}

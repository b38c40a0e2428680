import type { Logger } from '../log.ts';
import { type CommitPayload, decodeCommit } from './commit-payload.ts';
import type { ConnectionSettings } from './connection.ts';
import type { Database } from './database.ts';
import { Listener } from './listener.ts';
import { COMMIT_CHANNEL, type NotificationSender, VOLATILE_CHANNEL } from './notification-sender.ts';
import { type CommitRow, selectCommitsAfter, selectNewestCommit } from './tables/commits.ts';
import type { WrittenCommit } from './sequencer.ts';
import type { Commit, CommitFeed } from './write-batch.ts';

export interface CommitFeedOptions {
  connection: ConnectionSettings;
  db: Database;
  sender: NotificationSender;
  log: Logger;
}

export interface RunningCommitFeed extends CommitFeed {
  /** Tells all listeners that their caches are void: the server is known to be another one. */
  reset(): void;
  /** Hands on a commit of this replica before anybody is told of it. */
  noteWritten(commit: WrittenCommit): void;
  /** As `catchUp`, and asks the database in any case. */
  readNow(): Promise<void>;
  /** From now on `catchUp` asks only while `isComplete` says that somebody else may have written. */
  trust(isComplete: () => boolean): void;
  close(): Promise<void>;
}

const CATCH_UP_EVERY_MS = 1000;
const CATCH_UP_DEAF_MS = 100;
const PAGE = 1000;

/** Notifications that arrive while the table is read; more are dropped, the next catch-up finds their commits. */
const MAX_HELD = 1000;

/** Opens the feed at the newest commit: everything read from now on is at least that new. */
export async function openCommitFeed(options: CommitFeedOptions): Promise<RunningCommitFeed> {
  const newest = await selectNewestCommit(options.db);
  const feed = new ListeningFeed(options, newest);
  await feed.start();
  return feed;
}

class ListeningFeed implements RunningCommitFeed {
  seen: number;
  readonly #options: CommitFeedOptions;
  readonly #listener: Listener;
  readonly #onCommit = new Set<(commit: Commit) => void>();
  readonly #onReset = new Set<() => void>();
  readonly #onVolatile = new Set<(message: string) => void>();
  #serverStart: number | undefined;
  #held: CommitPayload[] = [];
  #reading: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #deaf = true;
  #away = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Position of the newest commit of this replica. */
  #written = 0;
  #isComplete = (): boolean => false;

  constructor(options: CommitFeedOptions, newest: Pick<CommitRow, 'position' | 'server_start'> | undefined) {
    this.#options = options;
    this.seen = newest?.position ?? 0;
    this.#serverStart = newest?.server_start;
    this.#listener = new Listener({
      connection: options.connection,
      log: options.log,
      onMessage: (channel, payload) => this.#onMessage(channel, payload),
      onListening: () => {
        this.#deaf = false;
        this.#catchUpSoon();
      },
      onLost: () => {
        this.#deaf = true;
        this.#plan();
      },
    });
  }

  async start(): Promise<void> {
    await this.#listener.start();
    this.#plan();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#listener.close();
    await this.#reading?.catch(() => undefined);
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    return subscribe(this.#onCommit, listener);
  }

  onReset(listener: () => void): () => void {
    return subscribe(this.#onReset, listener);
  }

  onVolatile(listener: (message: string) => void): () => void {
    return subscribe(this.#onVolatile, listener);
  }

  publishVolatile(message: string): void {
    this.#options.sender.sendVolatile(message);
  }

  reset(): void {
    for (const listener of this.#onReset) listener();
  }

  trust(isComplete: () => boolean): void {
    this.#isComplete = isComplete;
  }

  noteWritten(commit: WrittenCommit): void {
    this.#written = Math.max(this.#written, commit.last);
    this.#take(commit);
  }

  catchUp(): Promise<void> {
    if (this.#isComplete() && this.seen >= this.#written) return Promise.resolve();
    return this.readNow();
  }

  /**
   * A reading that has begun may have missed what the caller knows of, so the caller gets the one after it: all who ask until that
   * begins share it, and it does not begin before everything that has arrived by now has been looked at.
   */
  readNow(): Promise<void> {
    this.#next ??= this.#begin().then(() => {
      this.#next = undefined;
      return this.#startReading();
    });
    return this.#next;
  }

  #begin(): Promise<void> {
    return this.#reading?.catch(() => undefined) ?? new Promise((resolve) => setImmediate(resolve));
  }

  #startReading(): Promise<void> {
    if (this.#reading !== undefined) return this.readNow();
    const reading = this.#read().finally(() => {
      this.#reading = undefined;
      this.#applyHeld();
    });
    this.#reading = reading;
    return reading;
  }

  async #read(): Promise<void> {
    for (;;) {
      const rows = await selectCommitsAfter(this.#options.db, this.seen, PAGE);
      for (const row of rows) this.#applyRow(row);
      if (rows.length < PAGE) return;
    }
  }

  #applyRow(row: CommitRow): void {
    if (row.position <= this.seen) return;
    const { position: last, previous, replica, rooms, users } = row;
    // A first commit of all, or rows that were pruned before we read them, or a server that may have lost its tail.
    const gap = previous > this.seen || (this.#serverStart !== undefined && this.#serverStart !== row.server_start);
    this.#serverStart = row.server_start;
    this.seen = last;
    if (gap) this.reset();
    this.#emit({ previous, last, replica, rooms: gap ? undefined : rooms, users: gap ? undefined : users });
  }

  #onMessage(channel: string, payload: string): void {
    if (channel === VOLATILE_CHANNEL) {
      for (const listener of this.#onVolatile) listener(payload);
      return;
    }
    const commit = channel === COMMIT_CHANNEL ? decodeCommit(payload) : undefined;
    if (commit !== undefined) this.#take(commit);
  }

  #take(commit: CommitPayload): void {
    if (this.#reading === undefined) this.#applyPayload(commit);
    else if (this.#held.length < MAX_HELD) this.#held.push(commit);
  }

  #applyPayload(commit: CommitPayload): void {
    const { previous, last, replica, serverStart, rooms, users } = commit;
    if (last <= this.seen) return;
    const known = previous <= this.seen && serverStart === this.#serverStart;
    if (!known || rooms === undefined || users === undefined) return this.#catchUpSoon();
    this.seen = last;
    this.#emit({ previous, last, replica, rooms, users });
  }

  #applyHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const commit of held) this.#onMessageAgain(commit);
  }

  #onMessageAgain(commit: CommitPayload): void {
    if (this.#reading === undefined) this.#applyPayload(commit);
    else this.#held.push(commit);
  }

  #emit(commit: Commit): void {
    for (const listener of this.#onCommit) listener(commit);
  }

  #catchUpSoon(): void {
    this.readNow().then(
      () => this.#noteAway(undefined),
      (err: unknown) => this.#noteAway(err),
    );
  }

  #noteAway(err: unknown): void {
    if (err !== undefined && !this.#away) this.#options.log.warn({ err }, 'cannot read the commits: trying again');
    this.#away = err !== undefined;
  }

  #plan(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#catchUpSoon();
        this.#plan();
      },
      this.#deaf ? CATCH_UP_DEAF_MS : CATCH_UP_EVERY_MS,
    );
  }
}

function subscribe<T>(set: Set<T>, listener: T): () => void {
  set.add(listener);
  return () => set.delete(listener);
}

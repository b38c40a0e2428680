import { randomUUID } from 'node:crypto';
import { SCHEMA_LEVEL } from '../contract/schema-version.ts';
import { tryAgainLater } from '../errors.ts';
import { background } from '../log.ts';
import type { Logger } from '../log.ts';
import type { Database, Queryable } from './database.ts';
import { databaseAway } from './database-errors.ts';
import { checkSchema } from './schema-check.ts';
import {
  deleteReplica,
  insertReplica,
  lockDraining,
  selectOthersServing,
  selectReplicaAdmitted,
  updateReplicaHeartbeat,
} from './tables/replica.ts';
import { selectSchemaStateForShare } from './tables/schema_state.ts';

/** This process as the other replicas and the operator see it in `ops.replica`. */
export interface ReplicaRegistration {
  /** New for every process start. */
  readonly replicaNo: number;
  readonly id: string;
  /** True once the schema has moved past this program: nothing can be written any more, the process must end. */
  readonly fenced: boolean;
  /** Called once, when `fenced` becomes true. */
  onFenced(listener: () => void): void;
  /** Reports the keyring in use; resolves when committed. */
  reportKeyring(state: { generation: number; activeKeyId: string }): Promise<void>;
  /** Lowest keyring generation that may still be used, as of the last heartbeat; 0 before the first. */
  readonly keyringFloor: number;
  /** Notes the time (Unix ms) of a signature; the newest per key id goes out with the next heartbeat. */
  noteSigned(keyId: string, ts: number): void;
  /**
   * Resolves when this process may sign, at once or after a heartbeat; what is signed must be signed before anything else is
   * awaited. Rejects with M_UNKNOWN/503 when the database cannot be asked or the operator waits for a newer keyring here.
   */
  confirmSigning(): Promise<void>;
  /** Tells the others that this process takes no more requests; gives back whether one of them still does. */
  leaveToOthers(): Promise<boolean>;
}

export interface RunningReplica extends ReplicaRegistration {
  /** Starts the heartbeat, on a connection that no reader can keep busy. */
  beat(db: Queryable): void;
  noteFenced(): void;
  /** Called on each new connection of the readers: rejects when this process was fenced meanwhile. */
  admit(db: Queryable): Promise<void>;
  /** Stops the heartbeat and takes the row away. */
  close(): Promise<void>;
}

export interface ReplicaOptions {
  db: Database;
  log: Logger;
  softwareVersion: string;
  /** application_name of all sessions of this process. */
  backendTag: string;
  serverName: string | undefined;
}

const HEARTBEAT_MS = 5000;
/**
 * How long after its last word to the database a process signs, ms. Others count it as dead after 30 s, and from then on may say
 * that a key it still holds has made its last signature.
 */
const SIGNING_MS = 25_000;

/** More key ids than a keyring may hold; the oldest are forgotten. */
const MAX_KEYS = 64;

/**
 * Inserts this process's row in the transaction that checks the schema, so that the contract phase either sees the row or is
 * seen by the check. Throws UnfitDatabase.
 */
export async function registerReplica(options: ReplicaOptions): Promise<RunningReplica> {
  const id = randomUUID();
  const { db, softwareVersion, backendTag, serverName } = options;
  const replicaNo = await db.transaction(async (tx) => {
    checkSchema(await selectSchemaStateForShare(tx), serverName);
    return insertReplica(tx, { id, softwareVersion, schemaLevel: SCHEMA_LEVEL, backendTag, clock: Date.now() });
  });
  return new RegisteredReplica(options, id, replicaNo);
}

class RegisteredReplica implements RunningReplica {
  readonly id: string;
  readonly replicaNo: number;
  fenced = false;
  keyringFloor = 0;
  readonly #options: ReplicaOptions;
  readonly #signed = new Map<string, number>();
  readonly #listeners: (() => void)[] = [];
  #keyring: { generation: number; activeKeyId: string | null } = { generation: 0, activeKeyId: null };
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  /** When the last heartbeat began that allowed to sign: monotonic, and by the wall clock, which goes on while a machine sleeps. */
  #allowed: { monotonic: number; wall: number } | undefined;
  #isOutdated = false;
  #db: Queryable;

  constructor(options: ReplicaOptions, id: string, replicaNo: number) {
    this.#options = options;
    this.#db = options.db;
    this.id = id;
    this.replicaNo = replicaNo;
  }

  onFenced(listener: () => void): void {
    if (this.fenced) listener();
    else this.#listeners.push(listener);
  }

  noteFenced(): void {
    if (this.fenced) return;
    this.fenced = true;
    clearInterval(this.#timer);
    this.#options.log.error({ count: this.replicaNo }, 'this replica may write no more: the schema has moved on');
    for (const listener of this.#listeners) listener();
  }

  async admit(db: Queryable): Promise<void> {
    if (await selectReplicaAdmitted(db, this.replicaNo)) return;
    this.noteFenced();
    throw databaseAway(new Error('this replica was fenced: the schema has moved on'));
  }

  noteSigned(keyId: string, ts: number): void {
    const newest = Math.max(ts, this.#signed.get(keyId) ?? 0);
    this.#signed.delete(keyId);
    this.#signed.set(keyId, newest);
    const oldest = this.#signed.keys().next();
    if (this.#signed.size > MAX_KEYS && oldest.done !== true) this.#signed.delete(oldest.value);
  }

  async reportKeyring(state: { generation: number; activeKeyId: string }): Promise<void> {
    this.#keyring = state;
    await this.#beating;
    await this.#write();
  }

  async confirmSigning(): Promise<void> {
    if (this.#maySign()) return;
    await this.#beatNow();
    if (this.#maySign()) return;
    throw tryAgainLater('This replica waits for its signing keys: try again soon.');
  }

  async leaveToOthers(): Promise<boolean> {
    await lockDraining(this.#db, this.replicaNo);
    return selectOthersServing(this.#db, this.replicaNo);
  }

  #maySign(): boolean {
    const allowed = this.#allowed;
    if (allowed === undefined || this.fenced) return false;
    return performance.now() - allowed.monotonic < SIGNING_MS && Date.now() - allowed.wall < SIGNING_MS;
  }

  beat(db: Queryable): void {
    this.#db = db;
    this.#timer = setInterval(() => {
      background(this.#beatNow(), this.#options.log, 'heartbeat');
    }, HEARTBEAT_MS);
  }

  /** One heartbeat at a time; one that fails is logged. */
  #beatNow(): Promise<void> {
    this.#beating ??= this.#write()
      .catch((err: unknown) => this.#options.log.warn({ err }, 'heartbeat not written'))
      .finally(() => {
        this.#beating = undefined;
      });
    return this.#beating;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    await deleteReplica(this.#db, this.replicaNo, Object.fromEntries(this.#signed)).catch((err: unknown) => {
      this.#options.log.warn({ err }, 'the row of this replica stays until it counts as dead');
    });
  }

  async #write(): Promise<void> {
    const begun = { monotonic: performance.now(), wall: Date.now() };
    const { generation } = this.#keyring;
    const floor = await updateReplicaHeartbeat(this.#db, {
      replicaNo: this.replicaNo,
      clock: begun.wall,
      keyringGeneration: generation,
      activeKeyId: this.#keyring.activeKeyId,
      lastSigned: Object.fromEntries(this.#signed),
    });
    if (floor === undefined) return this.noteFenced();
    this.#noteFloor(floor, generation, begun);
  }

  #noteFloor(floor: number, generation: number, begun: { monotonic: number; wall: number }): void {
    this.keyringFloor = floor;
    const isOutdated = floor > generation;
    if (isOutdated && !this.#isOutdated) {
      this.#options.log.warn({ generation }, 'this replica signs nothing until it has the newest keyring');
    }
    this.#isOutdated = isOutdated;
    this.#allowed = isOutdated ? undefined : begun;
  }
}

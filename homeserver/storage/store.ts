import { randomUUID } from 'node:crypto';
import type { QueryResultRow } from 'pg';
import { Caches } from '../caches.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import type { Logger } from '../log.ts';
import { openCommitFeed, type RunningCommitFeed } from './commit-feed.ts';
import type { ConnectionSettings } from './connection.ts';
import { checkNotHalfRestored } from './copies/restore-marker.ts';
import type { Database, Queryable, Statement } from './database.ts';
import { databaseAway, isAway } from './database-errors.ts';
import { createNames } from './names.ts';
import { NotificationSender } from './notification-sender.ts';
import { createNumberBlocks } from './numbers.ts';
import { openPool } from './pool.ts';
import { type ReplicaRegistration, registerReplica, type RunningReplica } from './replica.ts';
import { checkCatalogue, checkSchema } from './schema-check.ts';
import { openSequencer, type Sequencer } from './sequencer.ts';
import { SingleConnection } from './single-connection.ts';
import { SoleReplica } from './sole-replica.ts';
import { selectSchemaState } from './tables/schema_state.ts';
import type { BatchWriter, CommitFeed, Names, NumberBlocks } from './write-batch.ts';

export interface StoreOptions {
  database: HomeserverConfig['database'];
  log: Logger;
  softwareVersion: string;
  /** When given, a database of another server is refused. */
  serverName?: string;
}

/** Everything this replica does with PostgreSQL. */
export interface Store {
  db: Database;
  /** A connection of its own for leases, so that background work never waits for readers. Errors: as `db`. */
  background: Queryable;
  batches: BatchWriter;
  feed: CommitFeed;
  numbers: NumberBlocks;
  names: Names;
  replica: ReplicaRegistration;
  /** Where everything that reads this store keeps what it has read. */
  caches: Caches;
  /** Finishes the batch under way, takes the replica's row away and ends all connections. */
  close(): Promise<void>;
}

/** Connections beside the readers' pool: writer, listener, and one for wake-ups, heartbeat and leases. */
const OWN_CONNECTIONS = 3;

/**
 * Connects, checks the database and registers this process. Rejects with UnfitDatabase (its `exitCode` says why) and with
 * M_UNKNOWN/503 when the database cannot be reached; nothing stays open then.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { database, log, softwareVersion, serverName } = options;
  const applicationName = `homeserver-${randomUUID().slice(0, 13)}`;
  const connection: ConnectionSettings = { database, applicationName };
  const starts = new ServerStarts();
  const size = Math.max(1, database.poolSize - OWN_CONNECTIONS);
  let replica: RunningReplica | undefined;
  const db = openPool({
    connection,
    size,
    log,
    onServerStart: (start) => starts.note(start),
    admit: async (opened) => replica?.admit(opened),
  });
  const aside = new SingleConnection(connection);
  try {
    await checkCatalogue(db);
    await checkNotHalfRestored(db);
    checkSchema(await selectSchemaState(db), serverName);
    replica = await registerReplica({ db, log, softwareVersion, backendTag: applicationName, serverName });
    const sender = new NotificationSender(aside, log);
    const feed = await openCommitFeed({ connection, db, sender, log });
    const sole = new SoleReplica({ db: aside, feed, replicaNo: replica.replicaNo });
    await sole.join();
    return assemble({ connection, db, aside, replica, sender, feed, sole, starts, log });
  } catch (error) {
    await replica?.close();
    await Promise.all([aside.close(), db.close()]);
    throw error;
  }
}

interface Parts {
  connection: ConnectionSettings;
  db: Database;
  aside: SingleConnection;
  replica: RunningReplica;
  sender: NotificationSender;
  feed: RunningCommitFeed;
  sole: SoleReplica;
  starts: ServerStarts;
  log: Logger;
}

/** Notices that the database server is another one than before: after a failover its newest rows may be lost. */
class ServerStarts {
  /** Start of the server that the newest connection leads to, Unix microseconds; 0 before the first one. */
  known = 0;
  readonly #listeners: (() => void)[] = [];

  onAnother(listener: () => void): void {
    this.#listeners.push(listener);
  }

  note(start: number): void {
    const before = this.known;
    this.known = start;
    if (before !== 0 && before !== start) for (const listener of this.#listeners) listener();
  }
}

function assemble(parts: Parts): Store {
  const { connection, db, aside, replica, sender, feed, sole, starts, log } = parts;
  const caches = new Caches();
  const [numbers, names] = [createNumberBlocks(db), createNames(db, caches)];
  feed.onReset(() => {
    names.clear();
    numbers.drop();
  });
  starts.onAnother(() => {
    feed.reset();
  });
  const batches = openSequencer({
    connection,
    replicaNo: replica.replicaNo,
    log,
    serverStart: () => starts.known,
    onServerStart: (start) => starts.note(start),
    onWritten: (commit) => {
      feed.noteWritten(commit);
      // Who is alone tells nobody: another one reads the commits before it serves, and from when it is known of it is told.
      if (!sole.isAlone) sender.sendCommit(commit);
    },
    onFenced: () => replica.noteFenced(),
    mayWrite: sole.isKnown,
  });
  feed.trust(() => sole.isAlone && batches.isIdle);
  replica.beat(aside);
  return {
    db,
    background: withAwayErrors(aside),
    batches,
    feed,
    numbers,
    names,
    replica,
    caches,
    close: once(() => close(parts, batches)),
  };
}

/** The connection says what happened to it; those who only want to know whether to come again are told that. */
function withAwayErrors(db: Queryable): Queryable {
  return {
    query: <Row extends QueryResultRow>(statement: Statement) =>
      db.query<Row>(statement).catch((error: unknown) => {
        throw isAway(error) ? databaseAway(error) : error;
      }),
  };
}

async function close({ db, aside, replica, sender, feed, sole }: Parts, batches: Sequencer): Promise<void> {
  await batches.close();
  sole.close();
  await sender.settled();
  await feed.close();
  await replica.close();
  await Promise.all([aside.close(), db.close()]);
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= work());
}

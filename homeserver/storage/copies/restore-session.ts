import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type pg from 'pg';
import { EXIT_CODES } from '../../contract/exit-codes.ts';
import type { Logger } from '../../log.ts';
import { applyMigrations } from '../apply-migration.ts';
import type { ConnectionSettings } from '../connection.ts';
import type { Queryable } from '../database.ts';
import type { MigrationFile } from '../migration-files.ts';
import { onClient } from '../pool.ts';
import { restartPositions } from '../restart-positions.ts';
import { checkCatalogue, UnfitDatabase } from '../schema-check.ts';
import { upsertSchemaState } from '../tables/schema_state.ts';
import { type CopiedSequence, type CopiedTable, updateSequences } from './catalogue.ts';
import { copyIn } from './copy-in.ts';
import { openLongSession } from './long-session.ts';
import { takeMigrateLock } from './migrate-lock.ts';
import { insertRestoreMarker, selectRestoreMarker, updateRestoreDone } from './restore-marker.ts';
import { upsertRestoredKeys } from './restored-keys.ts';
import { deleteHalfRestored, selectColumnNames, selectForeignObject } from './restore-target.ts';

/** What makes restored tables a database that may be used. */
export interface RestoredState {
  readonly schemaVersion: number;
  readonly compatVersion: number;
  readonly softwareVersion: string;
  readonly serverName: string;
  readonly sequences: readonly CopiedSequence[];
  /** Sealed signing keys for the operator. */
  readonly keyBundle: string | undefined;
}

export type RestoreStart =
  | { readonly state: 'begun' }
  /** All of that backup is here already. */
  | { readonly state: 'done'; readonly backupId: string }
  /** Another restore or migrate is running. */
  | { readonly state: 'busy' };

/** Fills one empty database from a backup. All of it counts at once, with `finish`; until then nothing serves it. */
export interface RestoreSession {
  /** Takes the database; throws away what an unfinished restore left in it. Throws UnfitDatabase unless it is empty. */
  begin(backupId: string): Promise<RestoreStart>;
  applyMigrations(files: readonly MigrationFile[]): Promise<void>;
  hasTable(table: CopiedTable): Promise<boolean>;
  /** As many copies at once as there are writers; `check` gets the number of rows before they are committed. */
  readonly writers: readonly ((table: CopiedTable, source: Readable, check: (rows: number) => void) => Promise<void>)[];
  /** Returns the position after which the stream goes on. */
  finish(state: RestoredState): Promise<number>;
  close(): Promise<void>;
}

export interface RestoreSessionOptions {
  connection: ConnectionSettings;
  writers: number;
  /** How long to wait for another restore or migrate, ms. */
  waitMs: number;
  log: Logger;
}

/** Opens one connection for the whole and one for each writer. */
export async function openRestoreSession(options: RestoreSessionOptions): Promise<RestoreSession> {
  const clients: pg.Client[] = [];
  const close = async () => {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  };
  try {
    for (let i = 0; i <= options.writers; i += 1) clients.push(await openLongSession(options.connection));
  } catch (error) {
    await close();
    throw error;
  }
  const [client, ...writers] = clients;
  if (client === undefined) throw new Error('there is no connection to restore over');
  return sessionOn(client, writers, { ...options, close });
}

function sessionOn(
  client: pg.Client,
  writers: readonly pg.Client[],
  { waitMs, log, close }: RestoreSessionOptions & { close(): Promise<void> },
): RestoreSession {
  const db = onClient(client);
  const run = randomUUID();
  return {
    begin: (backupId) => begin(client, { backupId, run, waitMs, log }),
    applyMigrations: (files) => applyMigrations(client, files, { log }),
    hasTable: async ({ schema, name }) => (await selectColumnNames(db, schema, name)).length > 0,
    writers: writers.map(
      (writer) => (table: CopiedTable, source: Readable, check: (rows: number) => void) =>
        copyIn(writer, table, source, { run, check }),
    ),
    finish: async (state) => {
      const position = await inTransaction(client, (tx) => finish(tx, state, run));
      // Statistics would come by themselves, minutes after the first requests.
      await client.query('analyze').catch(() => undefined);
      return position;
    },
    close,
  };
}

interface Begin {
  readonly backupId: string;
  readonly run: string;
  readonly waitMs: number;
  readonly log: Logger;
}

async function begin(client: pg.Client, { backupId, run, waitMs, log }: Begin): Promise<RestoreStart> {
  const db = onClient(client);
  await checkCatalogue(db);
  const onWait = () => {
    log.info('another migrate or restore is running: waiting for it');
  };
  if (!(await takeMigrateLock(db, { waitMs, onWait }))) return { state: 'busy' };
  const marker = await selectRestoreMarker(db);
  if (marker?.state === 'done') return { state: 'done', backupId: marker.backupId };
  if (marker === undefined) await checkEmpty(db);
  else log.warn('an unfinished restore is thrown away and begun again');
  await inTransaction(client, async (tx) => {
    if (marker !== undefined) await deleteHalfRestored(tx);
    await insertRestoreMarker(tx, { backupId, run });
  });
  return { state: 'begun' };
}

async function checkEmpty(db: Queryable): Promise<void> {
  const found = await selectForeignObject(db);
  if (found === undefined) return;
  const message = `the database is not empty (it has ${found}): a backup is restored into an empty one only`;
  throw new UnfitDatabase(EXIT_CODES.wrongDatabase, message);
}

/** Sequences are set outside of transactions: a repeated finish sets them again. */
async function finish(db: Queryable, state: RestoredState, run: string): Promise<number> {
  await updateSequences(db, state.sequences);
  const position = await restartPositions(db);
  if (state.keyBundle !== undefined) await upsertRestoredKeys(db, state.keyBundle);
  await upsertSchemaState(db, state);
  await updateRestoreDone(db, run);
  return position;
}

async function inTransaction<T>(client: pg.Client, work: (db: Queryable) => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await work(onClient(client));
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

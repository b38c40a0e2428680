import type { Logger } from '../log.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import type { ConnectionSettings } from '../storage/connection.ts';
import { openRestoreSession, type RestoreSession } from '../storage/copies/restore-session.ts';
import { loadMigrations, type MigrationFile } from '../storage/migration-files.ts';
import { BackupError } from './backup-error.ts';
import { backupNames } from './backup-names.ts';
import { type FoundBackup, findBackup } from './find-backup.ts';
import { knownMigrations } from './known-schema.ts';
import type { TableEntry } from './manifest.ts';
import { readKeyBundle } from './open-keys.ts';
import { shareOut } from './share-out.ts';
import { readTable } from './table-streams.ts';

export interface RestoreOptions {
  connection: ConnectionSettings;
  serverName: string;
  store: ObjectStore;
  /** An id, or `latest`. */
  backupId: string;
  encryptionKey: string | undefined;
  /** Tables that are written at once. */
  writers: number;
  log: Logger;
  /** How long to wait for another restore or migrate, ms. */
  waitMs: number;
  /** Another program's files; this program's when absent. */
  files?: readonly MigrationFile[];
}

export type RestoreResult =
  | {
      readonly state: 'restored';
      readonly backupId: string;
      readonly rows: number;
      readonly position: number;
      /** Tables that this database has no place for, as the operator's where there is no operator. */
      readonly leftOut: readonly string[];
    }
  | { readonly state: 'done'; readonly backupId: string }
  | { readonly state: 'busy' };

/**
 * Makes an empty database what the backup is, at the schema of the backup. Killed anywhere, the next call begins again. Throws
 * BackupError, ObjectStoreError, UnfitDatabase; nothing serves the database then.
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const { connection, store, serverName, writers, waitMs, log } = options;
  const found = await findBackup(store, options);
  const { manifest } = found;
  const files = knownMigrations(manifest, options.files ?? (await loadMigrations()));
  const session = await openRestoreSession({ connection, writers, waitMs, log });
  try {
    const start = await session.begin(manifest.backupId);
    if (start.state === 'busy') return { state: 'busy' };
    if (start.state === 'done') return alreadyDone(start.backupId, options.backupId);
    const keyBundle = await readKeyBundle(found, store);
    await session.applyMigrations(files);
    const leftOut = await copyTables(session, found, options);
    const { version: schemaVersion, compatVersion } = manifest.schema;
    const { softwareVersion, sequences } = manifest;
    const state = { schemaVersion, compatVersion, softwareVersion, serverName, sequences, keyBundle };
    const position = await session.finish(state);
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
    return { state: 'restored', backupId: manifest.backupId, rows, position, leftOut };
  } finally {
    await session.close();
  }
}

/** A Job that was killed after its last write asks again; anybody else means another backup. */
function alreadyDone(backupId: string, wanted: string): RestoreResult {
  if (wanted === 'latest' || wanted === backupId) return { state: 'done', backupId };
  throw new BackupError(`this database was restored from backup ${backupId}: restore ${wanted} into an empty one`);
}

async function copyTables(
  session: RestoreSession,
  { manifest, keys }: FoundBackup,
  { store, log }: RestoreOptions,
): Promise<string[]> {
  const names = backupNames(manifest.serverName);
  const leftOut: string[] = [];
  const tables: TableEntry[] = [];
  for (const table of manifest.tables) {
    if (await session.hasTable(table)) tables.push(table);
    else leftOut.push(`${table.schema}.${table.name}`);
  }
  const foreign = leftOut.find((name) => !name.startsWith('matrix_operator.'));
  if (foreign !== undefined) throw new BackupError(`the schema of the backup has no table ${foreign}`);
  await shareOut(tables, session.writers, async (write, table) => {
    const segmentName = (number: number) => names.segment(manifest.backupId, table, number);
    const source = readTable(table, { store, segmentName, key: keys?.streamKey(table) });
    await write(table, source, (rows) => {
      checkRows(table, rows);
    });
    log.debug({ step: `${table.schema}.${table.name}`, count: table.rows }, 'table restored');
  });
  return leftOut;
}

function checkRows({ schema, name, rows }: TableEntry, found: number): void {
  if (found === rows) return;
  throw new BackupError(`table ${schema}.${name} of the backup has ${found} rows, its manifest says ${rows}`);
}

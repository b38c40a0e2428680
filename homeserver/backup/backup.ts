import { randomBytes } from 'node:crypto';
import { sealKeyring } from '../contract/key-bundle.ts';
import type { KeyringFile } from '../contract/keyring-file.ts';
import type { Logger } from '../log.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import type { ConnectionSettings } from '../storage/connection.ts';
import { selectClaim, selectCopiedSequences, selectCopiedTables } from '../storage/copies/catalogue.ts';
import { checkNotHalfRestored } from '../storage/copies/restore-marker.ts';
import { type DatabaseSnapshot, openSnapshot } from '../storage/copies/snapshot.ts';
import { checkCatalogue, checkSchema } from '../storage/schema-check.ts';
import { withConnection } from '../storage/with-connection.ts';
import { insertBackup, selectSnapshotTime } from '../storage/tables/backup.ts';
import { selectMigrations } from '../storage/tables/migrations.ts';
import { selectSchemaState } from '../storage/tables/schema_state.ts';
import { BackupError } from './backup-error.ts';
import { backupNames, newBackupId } from './backup-names.ts';
import { type BackupKeys, newBackupKeys } from './encryption.ts';
import { type Manifest, manifestText, MAX_MANIFEST_BYTES, type TableEntry } from './manifest.ts';
import { readBack } from './read-back.ts';
import { shareOut } from './share-out.ts';
import { sha256Of, writeTable } from './table-streams.ts';

export interface BackupOptions {
  connection: ConnectionSettings;
  serverName: string;
  softwareVersion: string;
  store: ObjectStore;
  /** Text of the encryption key, with the signing keys to put into the backup; absent: not encrypted, no keys. */
  encryption: { key: string; keyring: KeyringFile } | undefined;
  /** Tables that are read at once. */
  readers: number;
  /** Id of the plan of an upgrade that waits for this backup. */
  upgradePlan?: string | undefined;
  /** Whether to read every object back before the backup counts; the manifest always is. */
  readBack: boolean;
  log: Logger;
  now: () => Date;
}

/** How long a backup waits for a migration to end, ms. */
const MIGRATION_WAIT_MS = 600_000;

/**
 * Makes a backup of one moment of the database, while it serves; it counts once its manifest is in the store, and is then noted
 * in the database. Undefined: a migration is running, try again later.
 */
export async function backUp(options: BackupOptions): Promise<Manifest | undefined> {
  const { connection, readers, log } = options;
  const onWait = () => {
    log.info('a migration is running: waiting for it');
  };
  const snapshot = await openSnapshot(connection, { readers, waitMs: MIGRATION_WAIT_MS, onWait });
  if (snapshot === undefined) return undefined;
  let written: Written;
  try {
    written = await writeData(snapshot, options);
  } finally {
    await snapshot.close();
  }
  // Nothing is held back any more in the database while the store is read.
  if (options.readBack) await readBack(written.manifest, options.store);
  await writeManifest(written, options.store);
  await noteBackup(written, options);
  return written.manifest;
}

interface Written {
  readonly manifest: Manifest;
  readonly keys: BackupKeys | undefined;
  /** Unix ms by the clock of the database. */
  readonly takenAt: number;
}

async function writeData(snapshot: DatabaseSnapshot, options: BackupOptions): Promise<Written> {
  const { serverName, encryption } = options;
  const began = options.now();
  const takenAt = await selectSnapshotTime(snapshot.db);
  const backupId = newBackupId(began, randomBytes(4));
  const keys = encryption === undefined ? undefined : newBackupKeys(encryption.key, backupId);
  const head = await readHead(snapshot, options);
  const tables = await writeTables(snapshot, options, { backupId, keys });
  const bundle = await writeKeys(options, { backupId, keys });
  const manifest: Manifest = {
    format: 1,
    backupId,
    createdAt: began.toISOString(),
    serverName,
    softwareVersion: options.softwareVersion,
    ...head,
    compression: 'zstd',
    encryption:
      keys === undefined ? null : { cipher: 'AES-256-GCM', kdf: 'scrypt', salt: keys.salt.toString('base64') },
    tables,
    keys: bundle,
  };
  return { manifest, keys, takenAt };
}

async function writeManifest({ manifest, keys }: Written, store: ObjectStore): Promise<void> {
  const name = backupNames(manifest.serverName).manifest(manifest.backupId);
  const text = Buffer.from(manifestText(manifest, keys?.manifestKey));
  await store.put(name, text);
  const stored = await store.get(name, MAX_MANIFEST_BYTES);
  if (stored?.equals(text) !== true) throw new BackupError(`${store.place} does not give back the manifest as written`);
}

/** In a connection of its own: those of the snapshot have ended, and their transaction could not write. */
async function noteBackup({ manifest, takenAt }: Written, options: BackupOptions): Promise<void> {
  const { connection, store, upgradePlan = null } = options;
  const { backupId, softwareVersion, schema } = manifest;
  await withConnection(connection, (db) =>
    insertBackup(db, {
      backup_id: backupId,
      place: store.place,
      upgrade_plan: upgradePlan,
      software_version: softwareVersion,
      schema_version: schema.version,
      compat_version: schema.compatVersion,
      taken_at: takenAt,
    }),
  );
}

async function readHead({ db }: DatabaseSnapshot, { serverName }: BackupOptions) {
  await checkCatalogue(db);
  await checkNotHalfRestored(db);
  const state = await selectSchemaState(db);
  checkSchema(state, serverName);
  return {
    claim: (await selectClaim(db)) ?? null,
    schema: { version: state?.schema_version ?? 0, compatVersion: state?.compat_version ?? 0 },
    migrations: await selectMigrations(db),
    sequences: await selectCopiedSequences(db),
  };
}

interface Identity {
  readonly backupId: string;
  readonly keys: BackupKeys | undefined;
}

async function writeTables(
  snapshot: DatabaseSnapshot,
  { store, serverName, log }: BackupOptions,
  { backupId, keys }: Identity,
): Promise<TableEntry[]> {
  const names = backupNames(serverName);
  const entries: TableEntry[] = [];
  await shareOut(await selectCopiedTables(snapshot.db), snapshot.readers, async (reader, table) => {
    const segmentName = (number: number) => names.segment(backupId, table, number);
    const written = await writeTable(reader(table), { store, segmentName, key: keys?.streamKey(table) });
    entries.push({ ...table, columns: [...table.columns], ...written });
    log.debug({ step: `${table.schema}.${table.name}`, count: written.rows }, 'table written');
  });
  return entries;
}

async function writeKeys(
  { store, serverName, encryption }: BackupOptions,
  { backupId, keys }: Identity,
): Promise<Manifest['keys']> {
  if (keys === undefined || encryption === undefined) return null;
  const bundle = sealKeyring(encryption.keyring, { backupId, ...keys }, randomBytes(12));
  const bytes = Buffer.from(JSON.stringify(bundle));
  await store.put(backupNames(serverName).keys(backupId), bytes);
  return { bytes: bytes.length, sha256: sha256Of(bytes) };
}

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { backUp } from '../backup/backup.ts';
import { BackupError } from '../backup/backup-error.ts';
import { deleteOldBackups } from '../backup/delete-old-backups.ts';
import { readEncryptionKey } from '../backup/encryption.ts';
import { listBackups } from '../backup/find-backup.ts';
import type { Manifest } from '../backup/manifest.ts';
import { defaultConfigFile, loadConfig } from '../config/load.ts';
import { SOFTWARE_VERSION } from '../config/software-version.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import { KeyringFile } from '../contract/keyring-file.ts';
import { createLogger } from '../log.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import type { ConnectionSettings } from '../storage/connection.ts';
import { deleteAbsentBackups, selectLastBeforeUpgrade } from '../storage/tables/backup.ts';
import { withConnection } from '../storage/with-connection.ts';
import { numberOption, openBackupStore, STORE_HELP, STORE_OPTIONS } from './backup-store.ts';
import { complain, say, UsageError } from './command.ts';
import type { Command } from './command.ts';

/** Tables that are read at once; with the connection that holds the snapshot, all that a backup opens. */
const READERS = 2;

/** Writes what the database holds at one moment to a store, while replicas serve. */
export const backup: Command = {
  help: `homeserver backup: write one moment of the database to a store, while it serves.

  --config FILE               the configuration [HOMESERVER_CONFIG, else /etc/homeserver/config/homeserver.yaml]
${STORE_HELP}
  --encryption-key-file FILE  encrypt with this text, of 32 or more characters; the signing keys go in then as well
  --keep-last N               afterwards delete all but the newest N backups of this server; the one before the last
                              upgrade stays beside them
  --read-back                 read every object back and compare its digest before the backup counts
  --upgrade-plan ID           id of the plan of an upgrade that waits for this backup
  --json                      the result as one line of JSON
  --help                      this text

Ends with 0 done, 10 configuration invalid, 11 schema unfit, 12 wrong database, 20 database or store away: try again.
`,
  run: async (args) => {
    const { values } = parseArgs({
      args,
      options: {
        config: { type: 'string' },
        'encryption-key-file': { type: 'string' },
        'keep-last': { type: 'string' },
        'read-back': { type: 'boolean' },
        'upgrade-plan': { type: 'string' },
        json: { type: 'boolean' },
        ...STORE_OPTIONS,
      },
    });
    const keep = values['keep-last'];
    const keepLast = keep === undefined ? undefined : numberOption('keep-last', keep, { min: 1, max: 10_000 });
    const upgradePlan = values['upgrade-plan'] === undefined ? undefined : parsePlanId(values['upgrade-plan']);
    const store = openBackupStore(values);
    try {
      const config = await loadConfig(values.config ?? defaultConfigFile());
      const wanted = { keyFile: values['encryption-key-file'], readBack: values['read-back'] === true, upgradePlan };
      const manifest = await makeBackup(config, store, wanted);
      if (manifest === undefined) {
        complain('a migration is running on this database: try again');
        return EXIT_CODES.temporary;
      }
      const deleted = await tidyUp(config, store, keepLast);
      report(manifest, deleted, values.json === true);
      return EXIT_CODES.done;
    } finally {
      await store.close();
    }
  },
};

function parsePlanId(text: string): string {
  if (/^[0-9a-f]{12}$/.test(text)) return text;
  throw new UsageError('--upgrade-plan: 12 hex digits are allowed');
}

interface Wanted {
  readonly keyFile: string | undefined;
  readonly readBack: boolean;
  readonly upgradePlan: string | undefined;
}

async function makeBackup(config: HomeserverConfig, store: ObjectStore, { keyFile, readBack, upgradePlan }: Wanted) {
  const { serverName, database, keyringFile } = config;
  const encryption =
    keyFile === undefined
      ? undefined
      : { key: await readEncryptionKey(keyFile), keyring: await readKeyring(keyringFile) };
  return backUp({
    connection: connectionOf(database),
    serverName,
    softwareVersion: SOFTWARE_VERSION,
    store,
    encryption,
    readers: READERS,
    readBack,
    upgradePlan,
    // Standard output belongs to the result.
    log: createLogger({ level: config.logLevel, destination: process.stderr }),
    now: () => new Date(),
  });
}

async function readKeyring(file: string): Promise<KeyringFile> {
  try {
    return KeyringFile.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // The cause may quote the file.
    throw new BackupError(`the keyring ${file} cannot be read: an encrypted backup takes the signing keys along`);
  }
}

/** Deletes what is too old, and forgets in the database what is no longer in the store. */
async function tidyUp(
  { serverName, database }: HomeserverConfig,
  store: ObjectStore,
  keepLast: number | undefined,
): Promise<string[]> {
  const connection = connectionOf(database);
  const { place } = store;
  const spare = await withConnection(connection, (db) => selectLastBeforeUpgrade(db, place));
  const deleted =
    keepLast === undefined ? [] : await deleteOldBackups(store, { serverName, keepLast, spare, now: new Date() });
  const present = await listBackups(store, serverName);
  await withConnection(connection, (db) => deleteAbsentBackups(db, place, present));
  return deleted;
}

function connectionOf(database: HomeserverConfig['database']): ConnectionSettings {
  return { database, applicationName: 'homeserver-backup' };
}

function report({ backupId, tables, encryption }: Manifest, deleted: readonly string[], json: boolean): void {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const textBytes = tables.reduce((sum, table) => sum + table.textBytes, 0);
  const storedBytes = tables.flatMap(({ segments }) => segments).reduce((sum, { bytes }) => sum + bytes, 0);
  const encrypted = encryption !== null;
  if (json) {
    say(JSON.stringify({ backupId, tables: tables.length, rows, textBytes, storedBytes, encrypted, deleted }));
    return;
  }
  say(
    `backup ${backupId}: ${rows} rows of ${tables.length} tables, ${storedBytes} bytes${encrypted ? ', encrypted' : ''}`,
  );
  if (deleted.length > 0) say(`deleted ${deleted.join(', ')}`);
}

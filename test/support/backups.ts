import { createHash } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyring } from '../../homeserver/config/generate-key.ts';
import { backUp, type BackupOptions } from '../../homeserver/backup/backup.ts';
import type { Manifest } from '../../homeserver/backup/manifest.ts';
import { restore, type RestoreOptions, type RestoreResult } from '../../homeserver/backup/restore.ts';
import { openDirectoryStore } from '../../homeserver/object-store/directory-store.ts';
import type { ObjectStore } from '../../homeserver/object-store/object-store.ts';
import { selectCopiedTables } from '../../homeserver/storage/copies/catalogue.ts';
import { onClient } from '../../homeserver/storage/pool.ts';
import { TEST_SERVER_NAME, type TestDatabase } from './postgres.ts';
import { silentLog } from './store-fixture.ts';

export const ENCRYPTION_KEY = 'an encryption key that is long enough for a test';

export const KEYRING = generateKeyring(TEST_SERVER_NAME, 86_400);

/** A store in a directory of its own. */
export async function directoryStore(): Promise<ObjectStore & { readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'matrix-operator-test-backup-'));
  return { ...openDirectoryStore(directory), directory };
}

type Target = Pick<TestDatabase, 'config'>;

/** Backs up a test database; encrypted unless asked otherwise. */
export async function makeBackup(
  database: Target,
  store: ObjectStore,
  more: Partial<BackupOptions> = {},
): Promise<Manifest> {
  const manifest = await backUp({
    connection: { database: database.config, applicationName: 'backup-test' },
    serverName: TEST_SERVER_NAME,
    softwareVersion: '1.2.3',
    store,
    encryption: { key: ENCRYPTION_KEY, keyring: KEYRING },
    readers: 2,
    readBack: false,
    log: silentLog,
    now: () => new Date(),
    ...more,
  });
  if (manifest === undefined) throw new Error('the backup found a migration running');
  return manifest;
}

/** Restores into a test database. */
export function makeRestore(
  database: Target,
  store: ObjectStore,
  more: Partial<RestoreOptions> = {},
): Promise<RestoreResult> {
  return restore({
    connection: { database: database.config, applicationName: 'restore-test' },
    serverName: TEST_SERVER_NAME,
    store,
    backupId: 'latest',
    encryptionKey: ENCRYPTION_KEY,
    writers: 2,
    log: silentLog,
    waitMs: 10_000,
    ...more,
  });
}

/** What a restore changes on purpose. */
const RESTARTED = ['public.commits', 'public.leases'];

/** A digest of the rows of each table, whatever their order; `positions` of the old life are left out. */
export async function tableDigests(database: TestDatabase): Promise<Record<string, string>> {
  const client = await database.connect();
  const digests: Record<string, string> = {};
  for (const { schema, name } of await selectCopiedTables(onClient(client))) {
    if (RESTARTED.includes(`${schema}.${name}`)) continue;
    const { rows } = await client.query<{ row: string }>(
      `select t::text as row from "${schema}"."${name}" t order by t::text collate "C"`,
    );
    const digest = createHash('sha256');
    for (const { row } of rows) digest.update(`${row}\n`);
    digests[`${schema}.${name}`] = `${rows.length} ${digest.digest('hex')}`;
  }
  return digests;
}

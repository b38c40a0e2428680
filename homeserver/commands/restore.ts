import { parseArgs } from 'node:util';
import { readEncryptionKey } from '../backup/encryption.ts';
import { restore as runRestore, type RestoreResult } from '../backup/restore.ts';
import { defaultConfigFile, loadConfig } from '../config/load.ts';
import { SOFTWARE_VERSION } from '../config/software-version.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import type { ExitCode } from '../contract/exit-codes.ts';
import { createLogger } from '../log.ts';
import type { Logger } from '../log.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { migrate } from '../storage/migrate.ts';
import { openBackupStore, STORE_HELP, STORE_OPTIONS } from './backup-store.ts';
import { complain, say } from './command.ts';
import type { Command } from './command.ts';

const WRITERS = 2;
/** How long to wait for another restore or migrate, ms. */
const WAIT_MS = 600_000;

/** Fills an empty database from a backup and brings it to this program's schema. */
export const restore: Command = {
  help: `homeserver restore: make an empty database what a backup is.

  --config FILE               the configuration [HOMESERVER_CONFIG, else /etc/homeserver/config/homeserver.yaml]
${STORE_HELP}
  --backup ID                 which backup of this server [latest]
  --encryption-key-file FILE  the text that the backup was encrypted with
  --database NAME             restore into this database of the server instead of the configured one
  --json                      the result as one line of JSON
  --help                      this text

Nothing serves a database that is half restored; run the command again and it begins anew. Ends with 0 done, 1 the backup
cannot be used, 10 configuration invalid, 11 backup of a newer version, 12 database not empty, 20 database or store away.
`,
  run: async (args) => {
    const { values } = parseArgs({
      args,
      options: {
        config: { type: 'string' },
        backup: { type: 'string' },
        'encryption-key-file': { type: 'string' },
        database: { type: 'string' },
        json: { type: 'boolean' },
        ...STORE_OPTIONS,
      },
    });
    const keyFile = values['encryption-key-file'];
    const store = openBackupStore(values);
    try {
      const config = await loadConfig(values.config ?? defaultConfigFile());
      const encryptionKey = keyFile === undefined ? undefined : await readEncryptionKey(keyFile);
      const named = values.database === undefined ? {} : { name: values.database };
      const wanted = { backupId: values.backup ?? 'latest', encryptionKey };
      const database = { ...config.database, ...named };
      return await restoreInto({ ...config, database }, store, wanted, values.json === true);
    } finally {
      await store.close();
    }
  },
};

async function restoreInto(
  { serverName, database, logLevel }: HomeserverConfig,
  store: ObjectStore,
  wanted: { backupId: string; encryptionKey: string | undefined },
  json: boolean,
): Promise<ExitCode> {
  const log = createLogger({ level: logLevel, destination: process.stderr });
  const connection = { database, applicationName: 'homeserver-restore' };
  const result = await runRestore({ connection, serverName, store, ...wanted, writers: WRITERS, log, waitMs: WAIT_MS });
  if (result.state === 'busy') {
    complain('another restore or migrate holds the lock: try again');
    return EXIT_CODES.temporary;
  }
  const exitCode = await expand({ database, serverName, log });
  if (exitCode === EXIT_CODES.done) report(result, json);
  return exitCode;
}

/** The backup's schema becomes this program's. Killed before it, the next call finds the rows there and comes here again. */
async function expand(options: { database: HomeserverConfig['database']; serverName: string; log: Logger }) {
  const { exitCode, message } = await migrate('expand', { ...options, softwareVersion: SOFTWARE_VERSION });
  if (exitCode !== EXIT_CODES.done) complain(message);
  return exitCode;
}

function report(result: Exclude<RestoreResult, { state: 'busy' }>, json: boolean): void {
  if (json) {
    say(JSON.stringify(result));
    return;
  }
  if (result.state === 'done') {
    say(`all of backup ${result.backupId} is here already; nothing was changed`);
    return;
  }
  say(`restored backup ${result.backupId}: ${result.rows} rows; positions continue after ${result.position}`);
  if (result.leftOut.length > 0)
    say(`left out, since no operator looks after this database: ${result.leftOut.join(', ')}`);
}

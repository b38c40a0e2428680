import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readEncryptionKey } from '../backup/encryption.ts';
import { findBackup } from '../backup/find-backup.ts';
import { openKeys } from '../backup/open-keys.ts';
import { restore } from '../backup/restore.ts';
import { verify } from '../backup/verify.ts';
import { defaultConfigFile, loadConfig } from '../config/load.ts';
import { SOFTWARE_VERSION } from '../config/software-version.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import type { ExitCode } from '../contract/exit-codes.ts';
import { MatrixError } from '../errors.ts';
import { createLogger } from '../log.ts';
import type { Logger } from '../log.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { type ConnectionSettings, readConnection } from '../storage/connection.ts';
import { migrate } from '../storage/migrate.ts';
import { selectSnapshotTime } from '../storage/tables/backup.ts';
import { withConnection } from '../storage/with-connection.ts';
import { numberOption, openBackupStore, STORE_HELP, STORE_OPTIONS } from './backup-store.ts';
import { complain, say, UsageError } from './command.ts';
import type { Command } from './command.ts';
import { type TryResult, tryReplica } from './try-replica.ts';

const WRITERS = 2;
const SAMPLE = 1000;
/** How long to wait for another restore into this database, ms. */
const LOCK_WAIT_MS = 60_000;
const LOOK_MS = 1000;

/** Proves that the newest backup is one: it is restored into a spare database, looked through, and serves there. */
export const drill: Command = {
  help: `homeserver drill: prove that the newest backup of this server can be restored and serves.

  --config FILE               the configuration [HOMESERVER_CONFIG, else /etc/homeserver/config/homeserver.yaml]
${STORE_HELP}
  --encryption-key-file FILE  the text that backups are encrypted with; the signing keys are opened as well
  --database NAME             a spare database of the server, empty or left by a drill that was killed
  --wait-seconds N            how long to wait until that database is there [0]
  --time-limit-seconds N      how long to look through what was restored [3600]
  --json                      the result as one line of JSON
  --help                      this text

The server that is started for the proof listens on the loopback address only and speaks to nobody. The spare database is left
as it is then. Ends with 0 proven, 1 the backup cannot be used, is not whole or does not serve, 10 configuration invalid,
11 backup of a newer version, 12 spare database not empty, 20 database or store away.
`,
  run: async (args) => {
    const { values } = parseArgs({
      args,
      options: {
        config: { type: 'string' },
        'encryption-key-file': { type: 'string' },
        database: { type: 'string' },
        'wait-seconds': { type: 'string', default: '0' },
        'time-limit-seconds': { type: 'string', default: '3600' },
        json: { type: 'boolean' },
        ...STORE_OPTIONS,
      },
    });
    const waitSeconds = numberOption('wait-seconds', values['wait-seconds'], { min: 0, max: 86_400 });
    const limit = numberOption('time-limit-seconds', values['time-limit-seconds'], { min: 1, max: 86_400 });
    const keyFile = values['encryption-key-file'];
    const store = openBackupStore(values);
    try {
      const config = await loadConfig(values.config ?? defaultConfigFile());
      const spare = withDatabase(config, values.database);
      const encryptionKey = keyFile === undefined ? undefined : await readEncryptionKey(keyFile);
      const log = createLogger({ level: config.logLevel, destination: process.stderr });
      await waitForDatabase(spare, waitSeconds * 1000);
      const proof = await prove(spare, { store, encryptionKey, log, timeLimitMs: limit * 1000 });
      return typeof proof === 'number' ? proof : report(proof, values.json === true);
    } finally {
      await store.close();
    }
  },
};

/** Refuses the database that the server itself uses. */
function withDatabase(config: HomeserverConfig, name: string | undefined): HomeserverConfig {
  if (name === undefined) throw new UsageError('--database NAME of a spare database is needed');
  if (readConnection(connectionOf(config)).database === name) {
    throw new UsageError('--database is the one that the server uses: name a spare one');
  }
  return { ...config, database: { ...config.database, name } };
}

function connectionOf({ database }: Pick<HomeserverConfig, 'database'>): ConnectionSettings {
  return { database, applicationName: 'homeserver-drill' };
}

async function waitForDatabase(config: HomeserverConfig, waitMs: number): Promise<void> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    try {
      await withConnection(connectionOf(config), selectSnapshotTime);
      return;
    } catch (error) {
      const isAway = error instanceof MatrixError && error.status === 503;
      if (!isAway || performance.now() >= deadline) throw error;
    }
    await pause(LOOK_MS);
  }
}

interface Means {
  readonly store: ObjectStore;
  readonly encryptionKey: string | undefined;
  readonly log: Logger;
  readonly timeLimitMs: number;
}

interface Proof extends TryResult {
  readonly backupId: string;
  /** Signing keys of the backup that open; null when it holds none. */
  readonly signingKeys: number | null;
}

async function prove(config: HomeserverConfig, means: Means): Promise<Proof | ExitCode> {
  const { serverName, database } = config;
  const { store, encryptionKey, log, timeLimitMs } = means;
  const connection = connectionOf(config);
  const wanted = { serverName, store, encryptionKey, backupId: 'latest' };
  const restored = await restore({ ...wanted, connection, writers: WRITERS, waitMs: LOCK_WAIT_MS, log });
  if (restored.state === 'busy') {
    complain('another restore holds the lock of the spare database: try again');
    return EXIT_CODES.temporary;
  }
  const { backupId } = restored;
  const keyring = await openKeys(await findBackup(store, { ...wanted, backupId }), store, encryptionKey);
  const expanded = await migrate('expand', { database, serverName, log, softwareVersion: SOFTWARE_VERSION });
  if (expanded.exitCode !== EXIT_CODES.done) return failed(expanded.message, expanded.exitCode);
  const verified = await verify({ connection, serverName, sample: SAMPLE, timeLimitMs });
  if (!verified.whole) {
    const wrong = verified.checks.filter(({ problems, complete }) => problems > 0 || !complete).map(({ name }) => name);
    return failed(`backup ${backupId} is not whole, or time ran out: ${wrong.join(', ')}`, EXIT_CODES.failed);
  }
  const tried = await tryReplica(config, { log, softwareVersion: SOFTWARE_VERSION });
  return { backupId, signingKeys: keyring?.keys.length ?? null, ...tried };
}

function failed(message: string, exitCode: ExitCode): ExitCode {
  complain(message);
  return exitCode;
}

function report(proof: Proof, json: boolean): ExitCode {
  if (json) say(JSON.stringify(proof));
  else
    say(`backup ${proof.backupId} was restored, is whole and serves; ${proof.signingKeys ?? 'no'} signing keys open`);
  return EXIT_CODES.done;
}

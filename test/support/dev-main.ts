import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { exitCodeOf, messageOf } from '../../homeserver/commands/exit-code-of.ts';
import { limitGarbage } from '../../homeserver/commands/limit-garbage.ts';
import { type Replica, startReplica } from '../../homeserver/commands/start-replica.ts';
import { generateKeyring } from '../../homeserver/config/generate-key.ts';
import { SOFTWARE_VERSION } from '../../homeserver/config/software-version.ts';
import { HomeserverConfig } from '../../homeserver/contract/config-schema.ts';
import { EXIT_CODES } from '../../homeserver/contract/exit-codes.ts';
import { createLogger, type Logger } from '../../homeserver/log.ts';
import { migrate } from '../../homeserver/storage/migrate.ts';
import { developmentDatabase, type DevelopmentDatabase } from './dev-database.ts';
import { selfSignedIdentity } from './self-signed.ts';

const HELP = `npm run dev: one homeserver on an embedded PostgreSQL, for working on it or trying a client.

  npm run dev -- [flags]

  --server-name NAME    name of the server [localhost]
  --port N              HTTP port for clients [8008]
  --federation-port N   also listen with TLS (self-signed certificate) for other servers
  --database URL        use this PostgreSQL instead: postgres://user:password@host:port/name
  --open-registration   let anybody register; closed otherwise
  --no-rate-limits      answer however often somebody asks
  --data DIR            where database, keys and certificate are kept [.dev]
  --log-level LEVEL     debug, info, warn or error [warn]
  --help                this text

Ctrl-C stops it and leaves the data whole; the same command goes on with it.
`;

const OPTIONS = {
  'server-name': { type: 'string', default: 'localhost' },
  port: { type: 'string', default: '8008' },
  'federation-port': { type: 'string' },
  database: { type: 'string' },
  'open-registration': { type: 'boolean', default: false },
  'no-rate-limits': { type: 'boolean', default: false },
  data: { type: 'string', default: '.dev' },
  'log-level': { type: 'string', default: 'warn' },
  help: { type: 'boolean', default: false },
} as const;

type Flags = ReturnType<typeof parseFlags>;

function parseFlags() {
  return parseArgs({ options: OPTIONS }).values;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The signing key is made once and kept: another one would make other servers distrust this one. */
async function ensureKeyring(file: string, serverName: string): Promise<void> {
  const keyring = JSON.stringify(generateKeyring(serverName, 86_400), undefined, 2);
  await writeFile(file, keyring, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
}

function configFor(flags: Flags, folder: string, database: DevelopmentDatabase): HomeserverConfig {
  const { port } = flags;
  return HomeserverConfig.parse({
    serverName: flags['server-name'],
    // Port 0 is only known once it listens.
    ...(Number(port) > 0 && { publicBaseUrl: `http://localhost:${port}` }),
    ...(flags['federation-port'] !== undefined && { wellKnownServer: `localhost:${flags['federation-port']}` }),
    listeners: { http: { host: '127.0.0.1', port: Number(port) }, metrics: { host: '127.0.0.1', port: 0 } },
    database: { directory: database.directory, tlsMode: database.tlsMode },
    keyringFile: join(folder, 'keyring.json'),
    registration: { mode: flags['open-registration'] ? 'Open' : 'Closed' },
    rateLimits: { enabled: !flags['no-rate-limits'] },
    logLevel: flags['log-level'],
  });
}

async function startDevelopment(config: HomeserverConfig, flags: Flags, folder: string, log: Logger): Promise<Replica> {
  const { serverName, database } = config;
  await ensureKeyring(config.keyringFile, serverName);
  const migrated = await migrate('expand', { database, serverName, softwareVersion: SOFTWARE_VERSION, log });
  if (migrated.exitCode !== EXIT_CODES.done) throw new Error(`the database cannot be used: ${migrated.message}`);
  const port = flags['federation-port'];
  const tls = port === undefined ? undefined : await selfSignedIdentity(join(folder, 'tls'), serverName);
  const federation = tls && { host: '127.0.0.1', port: Number(port), tls };
  return startReplica({ config, log, softwareVersion: SOFTWARE_VERSION, ...(federation && { federation }) });
}

function announce(replica: Replica, config: HomeserverConfig, flags: Flags, configFile: string): void {
  say(`URL=http://localhost:${replica.httpPort}`);
  say(`server name ${config.serverName}, data in ${resolve(flags.data)}`);
  if (replica.federationPort !== undefined) say(`other servers: https://localhost:${replica.federationPort}`);
  say(`metrics: http://localhost:${replica.metricsPort}/metrics`);
  say('');
  say('Make a user in another terminal:');
  say(`  echo 'some password' | npm run --silent homeserver -- admin create-user alice --config ${configFile}`);
  if (flags['open-registration']) say('Registration is open: a client can also make one.');
  say('Ctrl-C stops; the data stays.');
}

async function main(): Promise<number> {
  const flags = parseFlags();
  if (flags.help) {
    process.stdout.write(HELP);
    return EXIT_CODES.done;
  }
  limitGarbage();
  const folder = resolve(flags.data);
  await mkdir(folder, { recursive: true });
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.resolve());
  say('starting PostgreSQL …');
  const database = await developmentDatabase(folder, flags.database);
  try {
    const config = configFor(flags, folder, database);
    const configFile = join(folder, 'homeserver.yaml');
    // JSON is YAML: the file is for `homeserver admin` and the like.
    await writeFile(configFile, JSON.stringify(config, undefined, 2));
    const log = createLogger({ level: config.logLevel, destination: process.stderr });
    const replica = await startDevelopment(config, flags, folder, log);
    announce(replica, config, flags, configFile);
    await stopped.promise;
    say('stopping …');
    await replica.stop({ settleMs: 0, drainMs: 5000 });
  } finally {
    await database.stop();
  }
  return EXIT_CODES.done;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n\nnpm run dev -- --help says what is possible\n`);
  process.exitCode = exitCodeOf(error);
}

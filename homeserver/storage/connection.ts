import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import type { DATABASE_FILES } from '../contract/layout.ts';

/** How connections are made; the folder is read anew for each, so a changed password needs no restart. */
export interface ConnectionSettings {
  database: Pick<HomeserverConfig['database'], 'directory' | 'name' | 'tlsMode' | 'statementTimeoutMs'>;
  /** Shown in pg_stat_activity; the fencing of a replica ends sessions by it. */
  applicationName: string;
}

/** A server that cannot be reached is given up after this. */
const CONNECT_TIMEOUT_MS = 5000;

/** How much longer than the server's own limit a client waits: only a server that is stopped or cut off gets there. */
const ANSWER_GRACE_MS = 2000;

/**
 * `force_generic_plan` and `random_page_cost`: plans made for the real values read whole tables (5 to 8 ms instead of 0.7
 * for "what changed"). The keepalives end a session whose peer has vanished before its locks hurt others.
 */
const SESSION_SETTINGS = {
  plan_cache_mode: 'force_generic_plan',
  random_page_cost: '1.1',
  jit: 'off',
  timezone: 'UTC',
  default_transaction_isolation: 'read\\ committed',
  idle_in_transaction_session_timeout: '10s',
  lock_timeout: '5s',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '15s',
} as const;

const INT8 = 20;
const INT8_ARRAY = 1016;

const parsers = new pg.TypeOverrides();
parsers.setTypeParser(INT8, Number);
parsers.setTypeParser(INT8_ARRAY, (text) => (text === '{}' ? [] : text.slice(1, -1).split(',').map(Number)));

/** All that `pg` needs for one new connection, read from the folder now. Throws when a file is missing. */
export function readConnection(settings: ConnectionSettings): pg.ClientConfig & { options: string } {
  const { database, applicationName } = settings;
  const read = (file: (typeof DATABASE_FILES)[number]) => readValue(database.directory, file);
  const host = required(database.directory, 'host', read('host'));
  const session = { ...SESSION_SETTINGS, statement_timeout: String(database.statementTimeoutMs) };
  return {
    host,
    port: readPort(database.directory, read('port')),
    database: database.name ?? required(database.directory, 'dbname', read('dbname')),
    user: required(database.directory, 'username', read('username')),
    password: read('password') ?? '',
    ssl: tlsOptions(database.tlsMode, host, read('ca.crt')),
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: database.statementTimeoutMs + ANSWER_GRACE_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    options: Object.entries(session)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    types: parsers,
  };
}

export interface ConnectionLimits {
  /** The server's limit for one statement, ms; 0: none. */
  statementTimeoutMs?: number;
  /** How long the client waits for an answer, ms; 0: for ever. */
  answerTimeoutMs?: number;
}

/** Opens one connection outside the pool. The caller ends it. */
export async function openConnection(settings: ConnectionSettings, limits: ConnectionLimits = {}): Promise<pg.Client> {
  const config = readConnection(settings);
  if (limits.answerTimeoutMs !== undefined) config.query_timeout = limits.answerTimeoutMs;
  if (limits.statementTimeoutMs !== undefined) config.options += ` -c statement_timeout=${limits.statementTimeoutMs}`;
  const client = new pg.Client(config);
  // Without a listener an error between two statements would end the process; whoever runs the next one meets it.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  return client;
}

/** Pool members read the folder as well: `pg` makes them by this class, one for each new connection. */
export function connectionClass(settings: ConnectionSettings): new () => pg.Client {
  return class extends pg.Client {
    constructor() {
      super(readConnection(settings));
    }
  };
}

function tlsOptions(mode: ConnectionSettings['database']['tlsMode'], host: string, ca: string | undefined) {
  if (mode === 'Disable') return false;
  // `host` is what the certificate is compared with when the host is an address (no server name is sent then).
  const options: ConnectionOptions = { host, rejectUnauthorized: mode !== 'Require' };
  if (ca !== undefined) options.ca = ca;
  if (mode === 'VerifyCA') options.checkServerIdentity = () => undefined;
  return options;
}

function readValue(directory: string, file: string): string | undefined {
  try {
    // A file may end in a line end that nobody meant; any other space may belong to a password.
    return readFileSync(join(directory, file), 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function required(directory: string, file: string, value: string | undefined): string {
  if (value === undefined || value === '')
    throw new Error(`database folder ${directory}: file ${file} is missing or empty`);
  return value;
}

function readPort(directory: string, value: string | undefined): number {
  const port = Number(value ?? '5432');
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new Error(`database folder ${directory}: file port must hold a number from 1 to 65535`);
}

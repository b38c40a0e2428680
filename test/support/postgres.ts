import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { HomeserverConfig } from '../../homeserver/contract/config-schema.ts';
import { createLogger } from '../../homeserver/log.ts';
import { migrate } from '../../homeserver/storage/migrate.ts';
import { type PostgresAddress, startPostgres } from './embedded-postgres.ts';
import { TEST_SERVER_NAME } from './server-name.ts';

export { TEST_SERVER_NAME };

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: PostgresAddress;
  }
}

/** Global set-up: one server for the whole run. Nothing here survives a power cut, so fsync is off. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres({ settings: { fsync: 'off', full_page_writes: 'off' } });
  project.provide('postgres', server.address);
  return () => server.stop();
}

/** A database of its own for a test, with the folder of files that a homeserver reads. */
export interface TestDatabase {
  readonly name: string;
  /** Owner of the database, an ordinary role. */
  readonly address: PostgresAddress;
  /** The `db/` folder: one value a file. */
  readonly directory: string;
  /** The `database` part of a homeserver's configuration. */
  readonly config: HomeserverConfig['database'];
  /** A connection as owner; ended by `drop`. */
  connect(): Promise<pg.Client>;
  /** A connection to this database as superuser; ended by `drop`. */
  connectAsSuperuser(): Promise<pg.Client>;
  drop(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** Generated when absent. */
  name?: string;
  /** Migrated for this server; `empty` leaves the database without a schema. */
  schema?: { serverName: string } | 'empty';
  /** A server that the test started itself; the run's server when absent. */
  server?: PostgresAddress;
}

const OWNER = { username: 'homeserver', password: 'homeserver' } as const;

/** Makes a database (UTF8, C), migrated unless asked otherwise; a copy of a template, about 50 ms. */
export async function createDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const server = options.server ?? inject('postgres');
  const name = options.name ?? `test_${randomBytes(6).toString('hex')}`;
  const schema = options.schema ?? { serverName: TEST_SERVER_NAME };
  await withAdmin(server, async (admin) => {
    await createOwner(admin);
    const template = schema === 'empty' ? 'template0' : await ensureTemplate(admin, server, schema.serverName);
    await create(admin, name, template);
  });
  return open(server, name);
}

async function open(server: PostgresAddress, name: string): Promise<TestDatabase> {
  const address = { ...server, ...OWNER };
  const directory = await writeFolder(address, name);
  const clients: pg.Client[] = [];
  const connectAs = async (who: PostgresAddress) => {
    const client = await connect(who, name);
    clients.push(client);
    return client;
  };
  return {
    name,
    address,
    directory,
    config: HomeserverConfig.shape.database.parse({ directory, tlsMode: 'Disable' }),
    connect: () => connectAs(address),
    connectAsSuperuser: () => connectAs(server),
    drop: async () => {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
      await withAdmin(server, (admin) => admin.query(`drop database if exists ${name} with (force)`));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Writes the `db/` folder of a database: host, port, dbname, username, password. */
export async function writeFolder(address: PostgresAddress, dbname: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'matrix-operator-test-db-'));
  const values = { ...address, port: String(address.port), dbname };
  const files = ['host', 'port', 'dbname', 'username', 'password'] as const;
  await Promise.all(files.map((file) => writeFile(join(directory, file), values[file], { mode: 0o600 })));
  return directory;
}

async function withAdmin<T>(server: PostgresAddress, work: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = await connect(server, 'postgres');
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

async function connect(address: PostgresAddress, database: string): Promise<pg.Client> {
  const { host, port, username, password } = address;
  const client = new pg.Client({ host, port, user: username, password, database });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Tests run as an ordinary role, as a homeserver does. */
async function createOwner(admin: pg.Client): Promise<void> {
  await locked(admin, async () => {
    const { rowCount } = await admin.query('select from pg_roles where rolname = $1', [OWNER.username]);
    if (rowCount === 0) await admin.query(`create role ${OWNER.username} login password '${OWNER.password}'`);
  });
}

async function ensureTemplate(admin: pg.Client, server: PostgresAddress, serverName: string): Promise<string> {
  const template = `template_${createHash('sha256').update(serverName).digest('hex').slice(0, 12)}`;
  const ready = () => admin.query('select from pg_database where datname = $1 and datistemplate', [template]);
  if ((await ready()).rowCount === 1) return template;
  return locked(admin, async () => {
    if ((await ready()).rowCount === 1) return template;
    await admin.query(`drop database if exists ${template} with (force)`);
    await create(admin, template, 'template0');
    await migrateTemplate(server, template, serverName);
    await admin.query(`alter database ${template} is_template true`);
    return template;
  });
}

async function migrateTemplate(server: PostgresAddress, template: string, serverName: string): Promise<void> {
  const directory = await writeFolder({ ...server, ...OWNER }, template);
  const database = HomeserverConfig.shape.database.parse({ directory, tlsMode: 'Disable' });
  const log = createLogger({ level: 'silent' });
  const result = await migrate('expand', { database, serverName, softwareVersion: 'test', log });
  await rm(directory, { recursive: true, force: true });
  if (result.exitCode !== 0) throw new Error(`the template could not be migrated: ${result.message}`);
}

async function create(admin: pg.Client, name: string, template: string): Promise<void> {
  const like = `template ${template} encoding 'UTF8' lc_collate 'C' lc_ctype 'C'`;
  await admin.query(`create database ${name} owner ${OWNER.username} ${like}`);
}

async function locked<T>(admin: pg.Client, work: () => Promise<T>): Promise<T> {
  await admin.query('select pg_advisory_lock(7099)');
  try {
    return await work();
  } finally {
    await admin.query('select pg_advisory_unlock(7099)');
  }
}

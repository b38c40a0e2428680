import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres } from './embedded-postgres.ts';

/** The database of `npm run dev`, as a homeserver's configuration names it. */
export interface DevelopmentDatabase {
  /** The `db/` folder: one value a file. */
  directory: string;
  tlsMode: 'Disable' | 'VerifyFull';
  /** Process id of the embedded server's postmaster. */
  postmaster?: number;
  stop(): Promise<void>;
}

const NAME = 'homeserver';

/** An embedded PostgreSQL whose data lies in `folder`, or the server of a `postgres://` URL. */
export async function developmentDatabase(folder: string, url: string | undefined): Promise<DevelopmentDatabase> {
  const directory = join(folder, 'db');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (url !== undefined) return foreign(directory, new URL(url));
  const server = await startPostgres({ dataDirectory: join(folder, 'postgres') });
  const { host, port, username, password } = server.address;
  try {
    await ensureDatabase({ host, port, user: username, password, database: 'postgres' });
    await writeValues(directory, { host, port: String(port), username, password, dbname: NAME });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { directory, tlsMode: 'Disable', postmaster: server.pid, stop: () => server.stop() };
}

async function foreign(directory: string, url: URL): Promise<DevelopmentDatabase> {
  if (!/^postgres(ql)?:$/.test(url.protocol))
    throw new Error('--database: postgres://user:password@host:port/name is allowed');
  await writeValues(directory, {
    host: url.hostname,
    port: url.port === '' ? '5432' : url.port,
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    dbname: decodeURIComponent(url.pathname.slice(1)),
  });
  const tlsMode = url.searchParams.get('sslmode') === 'verify-full' ? 'VerifyFull' : 'Disable';
  return { directory, tlsMode, stop: () => Promise.resolve() };
}

async function ensureDatabase(connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [NAME]);
    if (rowCount === 0)
      await client.query(`create database ${NAME} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'`);
  } finally {
    await client.end();
  }
}

async function writeValues(directory: string, values: Readonly<Record<string, string>>): Promise<void> {
  const entries = Object.entries(values);
  await Promise.all(entries.map(([file, value]) => writeFile(join(directory, file), value, { mode: 0o600 })));
}

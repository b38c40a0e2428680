import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { DatabaseLogin } from '../../../operator/database/connect.ts';
import { startServer } from '../../cluster/child-process.ts';
import { freePort, startPostgres } from '../../support/embedded-postgres.ts';
import { postgresBinaries } from '../../support/postgres-binaries.ts';
import { OTHER_MAJORS, postgresVersion } from '../../support/postgres-versions.ts';
import { waitFor } from '../../support/wait-for.ts';

const run = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';

/** A server for the operator's database tests. */
export interface DatabaseServer {
  readonly name: string;
  /** Major version. */
  readonly major: number;
  readonly superuser: DatabaseLogin;
  /** `LOGIN CREATEROLE CREATEDB` and nothing more: what operators are given on managed servers. */
  readonly plain: DatabaseLogin;
  stop(): Promise<void>;
}

/** The embedded server, the other versions that npm has, and Debian's; those from 15 on default to ICU. */
export async function databaseServers(): Promise<readonly { name: string; start: () => Promise<DatabaseServer> }[]> {
  const debian = existsSync(DEBIAN) ? await readdir(DEBIAN) : [];
  const installed = debian.filter((version) => existsSync(join(DEBIAN, version, 'bin', 'initdb')));
  return [
    { name: 'embedded PostgreSQL', start: startEmbedded },
    ...OTHER_MAJORS.map((major) => ({
      name: `PostgreSQL ${major} of npm`,
      start: async () => startOther(major, await readable(await postgresVersion(major), major)),
    })),
    ...installed.map((version) => ({
      name: `Debian's PostgreSQL ${version}`,
      start: () => startOther(Number(version), join(DEBIAN, version, 'bin')),
    })),
  ];
}

/** One statement as the given login. */
export async function sql(login: DatabaseLogin, text: string, values: readonly unknown[] = []): Promise<unknown[]> {
  const { host, port, username: user, password, database } = login;
  const client = new pg.Client({ host, port, user, password, database, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(text, [...values]);
    return rows;
  } finally {
    await client.end();
  }
}

async function startEmbedded(): Promise<DatabaseServer> {
  const server = await startPostgres({ settings: { fsync: 'off' } });
  const { host, port, username, password } = server.address;
  const superuser = login({ host, port, username, password });
  return { name: 'embedded', major: 18, superuser, plain: await plainLogin(superuser), stop: () => server.stop() };
}

async function startOther(version: number, bin: string): Promise<DatabaseServer> {
  const folder = await mkdtemp(join(tmpdir(), `matrix-operator-pg${version}-`));
  const password = await initialise(bin, folder, version);
  const port = await freePort();
  const flags = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off'];
  const command = [join(bin, 'postgres'), '-D', join(folder, 'data'), ...flags.flatMap((flag) => ['-c', flag])];
  const [program, ...words] = [...(await asNobody()), ...command];
  const server = await startServer(program ?? '', words, join(folder, 'log'));
  const superuser = login({ host: '127.0.0.1', port, username: 'postgres', password });
  await waitFor(() => sql(superuser, 'select 1'), { what: `PostgreSQL ${version} to answer` });
  return {
    name: String(version),
    major: version,
    superuser,
    plain: await plainLogin(superuser),
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function initialise(bin: string, folder: string, version: number): Promise<string> {
  const password = randomBytes(12).toString('base64url');
  const { identity } = await postgresBinaries();
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'data'), { mode: 0o700 });
  await writeFile(join(folder, 'password'), password, { mode: 0o600 });
  if (identity !== undefined) {
    await chown(join(folder, 'data'), identity.uid, identity.gid);
    await chown(join(folder, 'password'), identity.uid, identity.gid);
  }
  const icu = version >= 15 ? ['--locale-provider=icu', '--icu-locale=en-US'] : [];
  const flags = ['--encoding=UTF8', '--locale=C', ...icu, '--auth=scram-sha-256', '--username=postgres', '--no-sync'];
  const paths = ['-D', join(folder, 'data'), `--pwfile=${join(folder, 'password')}`];
  await run(join(bin, 'initdb'), [...paths, ...flags], { cwd: '/', timeout: 60_000, ...identity });
  return password;
}

/** Root's cache folder is closed to the user that PostgreSQL runs as: then the programs are copied to where it may read. */
async function readable(bin: string, major: number): Promise<string> {
  const { identity } = await postgresBinaries();
  const command = ['-c', '"$1/postgres" --version', 'sh', bin];
  const runs = await run('/bin/sh', command, { cwd: '/', ...identity }).then(
    () => true,
    () => false,
  );
  if (runs) return bin;
  const target = join(tmpdir(), `matrix-operator-postgres-${major}`);
  if (existsSync(target)) return join(target, 'bin');
  const fresh = await mkdtemp(`${target}-`);
  await chmod(fresh, 0o755);
  await cp(join(bin, '..'), fresh, { recursive: true, verbatimSymlinks: true });
  await rename(fresh, target).catch(async (error: unknown) => {
    // Another test run was faster.
    await rm(fresh, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  });
  return join(target, 'bin');
}

/** PostgreSQL refuses root. */
async function asNobody(): Promise<string[]> {
  const { identity } = await postgresBinaries();
  if (identity === undefined) return [];
  const ids = [`--reuid=${identity.uid}`, `--regid=${identity.gid}`, '--clear-groups', '--pdeathsig', 'KILL'];
  return ['/usr/bin/setpriv', ...ids, '--'];
}

async function plainLogin(superuser: DatabaseLogin): Promise<DatabaseLogin> {
  await sql(superuser, "create role plain login createrole createdb password 'plain'");
  return { ...superuser, username: 'plain', password: 'plain' };
}

function login(to: { host: string; port: number; username: string; password: string }): DatabaseLogin {
  return { ...to, database: 'postgres', tls: { mode: 'Disable' }, credentials: 'Secret test/pg-admin' };
}

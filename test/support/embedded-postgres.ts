import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import * as z from 'zod';
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.ts';

const run = promisify(execFile);

/** What a database folder (`db/`) or a client needs to reach the server as its superuser. */
export interface PostgresAddress {
  host: string;
  port: number;
  username: string;
  password: string;
}

export interface PostgresOptions {
  /** Kept when the server stops; a temporary folder that is deleted when absent. */
  dataDirectory?: string;
  /** A free port when absent. */
  port?: number;
  /** Server settings beside the defaults, such as `{ fsync: 'off' }`. */
  settings?: Readonly<Record<string, string>>;
}

/** A real PostgreSQL server on 127.0.0.1, a child of this process; it ends when this process ends in whatever way. */
export interface RunningPostgres {
  readonly address: PostgresAddress;
  /** Process id of the postmaster. */
  readonly pid: number;
  /** `immediate` is a crash: recovery at the next start. A temporary folder is deleted. */
  stop(mode?: StopMode): Promise<void>;
  /** Stops and starts on the same port and folder. */
  restart(mode: StopMode): Promise<void>;
}

export type StopMode = 'fast' | 'immediate';

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '300',
  shared_buffers: '64MB',
  logging_collector: 'off',
  log_min_messages: 'warning',
  timezone: 'UTC',
} as const;

/**
 * Runs the server named by `$@`, and stops it (SIGINT, a fast shutdown) as soon as standard input ends, which is when the
 * process that holds its other end stops it or dies.
 */
const GUARD = `exec 3<&0
"$@" 3<&- </dev/null & server=$!
( while read -r line <&3; do :; done; kill -INT "$server" ) & guard=$!
exec 3<&-
wait "$server"; code=$?
kill "$guard" 2>/dev/null
exit "$code"`;

/** Starts a server; the first start of a folder creates it (about 1 s). Rejects with the server's own words. */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  const binaries = await postgresBinaries();
  const folder = options.dataDirectory ?? (await mkdtemp(join(tmpdir(), 'matrix-operator-db-')));
  const cluster = await prepareFolder(folder, binaries);
  const port = options.port ?? (await freePort());
  const server = new EmbeddedPostgres(binaries, {
    address: { host: '127.0.0.1', port, username: 'postgres', password: cluster.password },
    settings: { ...SETTINGS, ...options.settings },
    data: cluster.data,
    temporary: options.dataDirectory === undefined ? folder : undefined,
  });
  await server.start();
  return server;
}

interface ServerPlan {
  address: PostgresAddress;
  settings: Readonly<Record<string, string>>;
  /** The data directory itself. */
  data: string;
  /** Folder to delete at the end. */
  temporary: string | undefined;
}

class EmbeddedPostgres implements RunningPostgres {
  readonly address: PostgresAddress;
  pid = 0;
  readonly #binaries: PostgresBinaries;
  readonly #plan: ServerPlan;
  #child: ChildProcess | undefined;
  #output = '';

  constructor(binaries: PostgresBinaries, plan: ServerPlan) {
    this.address = plan.address;
    this.#binaries = binaries;
    this.#plan = plan;
  }

  async start(): Promise<void> {
    const settings = Object.entries({ ...this.#plan.settings, port: String(this.address.port) });
    const flags = settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const command = [this.#binaries.postgres, '-D', this.#plan.data, ...flags];
    const child = spawn('/bin/sh', ['-c', GUARD, 'sh', ...command], {
      cwd: '/',
      // A group of its own: Ctrl-C in a terminal must reach us first, so that we can still write before it stops.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...this.#binaries.identity,
    });
    this.#child = child;
    child.stdin.on('error', () => undefined);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-8000);
      });
    }
    await this.#ready(child);
    this.pid = Number((await readFile(join(this.#plan.data, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  }

  async stop(mode: StopMode = 'fast'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    await this.#end(child, mode);
    const { temporary } = this.#plan;
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true, maxRetries: 3 });
  }

  async restart(mode: StopMode): Promise<void> {
    if (this.#child !== undefined) await this.#end(this.#child, mode);
    await this.start();
  }

  async #end(child: ChildProcess, mode: StopMode): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const force = setTimeout(() => process.kill(this.pid, 'SIGQUIT'), 30_000);
    if (mode === 'immediate') process.kill(this.pid, 'SIGQUIT');
    child.stdin?.end();
    await ended;
    clearTimeout(force);
  }

  async #ready(child: ChildProcess): Promise<void> {
    const deadline = performance.now() + 60_000;
    while (performance.now() < deadline) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended at start: ${this.#output}`);
      if (await answers(this.address)) return;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await this.stop('immediate');
    throw new Error(`PostgreSQL did not answer within 60 s: ${this.#output}`);
  }
}

async function answers(address: PostgresAddress): Promise<boolean> {
  const client = new pg.Client({
    host: address.host,
    port: address.port,
    user: address.username,
    password: address.password,
    database: 'postgres',
    connectionTimeoutMillis: 2000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A database cluster on disk. */
interface Cluster {
  /** Its data directory; belongs to the server's user. */
  data: string;
  password: string;
}

const Cluster = z.object({ data: z.string(), password: z.string() });

/** Reads or makes the cluster of a folder; `folder/cluster.json` says where it lies. */
async function prepareFolder(folder: string, binaries: PostgresBinaries): Promise<Cluster> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'cluster.json');
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known !== undefined) return Cluster.parse(JSON.parse(known));
  const cluster = { data: await placeData(folder, binaries), password: randomBytes(18).toString('base64url') };
  await createCluster(cluster, binaries);
  // Written last: a folder without it was not finished and is made again.
  await writeFile(file, JSON.stringify(cluster), { mode: 0o600 });
  return cluster;
}

/** Root's own folders are often closed to the server's user: then the data lies in /var/tmp, under a name that fits. */
async function placeData(folder: string, { identity }: PostgresBinaries): Promise<string> {
  if (identity === undefined) return join(folder, 'data');
  await chmod(folder, 0o755);
  const reachable = await run('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { cwd: '/', ...identity }).then(
    () => true,
    () => false,
  );
  if (reachable) return join(folder, 'data');
  const key = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  return join('/var/tmp', `matrix-operator-${key}`, 'data');
}

async function createCluster({ data, password }: Cluster, binaries: PostgresBinaries): Promise<void> {
  const { identity } = binaries;
  const pwfile = join(dirname(data), 'initial-password');
  await rm(data, { recursive: true, force: true });
  await mkdir(dirname(data), { recursive: true });
  await mkdir(data, { mode: 0o700 });
  await writeFile(pwfile, password, { mode: 0o600 });
  if (identity !== undefined) {
    await chown(data, identity.uid, identity.gid);
    await chown(pwfile, identity.uid, identity.gid);
  }
  const flags = ['--encoding=UTF8', '--locale=C', '--auth=scram-sha-256', '--username=postgres', '--no-sync'];
  const options = { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, timeout: 60_000, ...identity };
  try {
    await run(binaries.initdb, ['-D', data, `--pwfile=${pwfile}`, ...flags], options);
  } finally {
    await rm(pwfile, { force: true });
  }
}

/** A port on 127.0.0.1 that nothing listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

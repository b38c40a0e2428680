import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { generateKeyring } from '../../../homeserver/config/generate-key.ts';
import { endingWithUs } from '../../cluster/child-process.ts';
import { bundle } from '../../support/bundle.ts';
import { developmentDatabase } from '../../support/dev-database.ts';
import { freePort } from '../../support/embedded-postgres.ts';
import { imageEnvironment } from '../../support/image-environment.ts';
import { waitFor } from '../../support/wait-for.ts';
import { cpuTimeOf, type ServerCpu } from './cpu-time.ts';

/** Our homeserver as the image runs it (bundle, one process, its environment), on an embedded PostgreSQL with fsync on. */
export interface OwnHomeserver {
  url: string;
  configFile: string;
  /** From the start of the process to the first 200 of /readyz, s. */
  startSeconds: number;
  /** Resident memory, MB, once what was under way is through: after `settleMs`, 3 s where nothing else is said. */
  memory(settleMs?: number): Promise<number>;
  /** The most that was resident during the work, MB. */
  mostMemory(work: () => Promise<unknown>): Promise<number>;
  /** CPU time so far of the process and of PostgreSQL. */
  cpu(): Promise<ServerCpu>;
  /** The database, as its owner reaches it. */
  database: { host: string; port: number; user: string; password: string; database: string };
  stop(): Promise<void>;
}

const SERVER_NAME = 'bench.localhost';
const START_TIMEOUT_MS = 30_000;

/** Starts one; everything it made is gone after `stop`, which writes a CPU profile into the folder `profile` if there is one. */
export async function startOwnHomeserver(profile?: string): Promise<OwnHomeserver> {
  const folder = await mkdtemp(join(tmpdir(), 'matrix-bench-'));
  const database = await developmentDatabase(folder, undefined);
  const port = await freePort();
  const config = join(folder, 'homeserver.yaml');
  await writeFile(join(folder, 'keyring.json'), JSON.stringify(generateKeyring(SERVER_NAME, 86_400)), { mode: 0o600 });
  await writeFile(config, JSON.stringify(configuration(folder, database, port)));
  const program = join(await bundle(), 'homeserver.mjs');
  await promisify(execFile)(process.execPath, [program, 'migrate', 'expand', '--config', config]);
  const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile];
  const started = performance.now();
  const child = spawn(...endingWithUs(process.execPath, [...profiling, program, 'serve', '--config', config]), {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...imageEnvironment() },
  });
  const url = `http://127.0.0.1:${port}`;
  await waitFor(async () => (await fetch(`${url}/readyz`)).ok, {
    what: `${url} to be ready`,
    timeoutMs: START_TIMEOUT_MS,
    everyMs: 10,
  });
  const startSeconds = (performance.now() - started) / 1000;
  const stop = async (): Promise<void> => {
    await end(child);
    await database.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const pid = child.pid ?? 0;
  return {
    url,
    configFile: config,
    startSeconds,
    memory: (settleMs) => residentMegabytes(pid, settleMs),
    mostMemory: (work) => mostResident(pid, work),
    cpu: () => cpuTimeOf(pid, database.postmaster ?? 0),
    database: await databaseOf(database.directory),
    stop,
  };
}

function configuration(folder: string, database: { directory: string; tlsMode: string }, port: number): object {
  return {
    serverName: SERVER_NAME,
    listeners: { http: { host: '127.0.0.1', port }, metrics: { host: '127.0.0.1', port: 0 } },
    database: { directory: database.directory, tlsMode: database.tlsMode },
    keyringFile: join(folder, 'keyring.json'),
    registration: { mode: 'Open' },
    rateLimits: { enabled: false },
    logLevel: 'warn',
  };
}

async function databaseOf(directory: string): Promise<OwnHomeserver['database']> {
  const read = (file: string) => readFile(join(directory, file), 'utf8');
  const [host, port, user] = await Promise.all(['host', 'port', 'username'].map(read));
  const [password, database] = await Promise.all(['password', 'dbname'].map(read));
  return {
    host: host ?? '',
    port: Number(port),
    user: user ?? '',
    password: password ?? '',
    database: database ?? '',
  };
}

async function residentMegabytes(pid: number, settleMs = 3000): Promise<number> {
  await pause(settleMs);
  return megabytesOf(pid, /^VmRSS:\s+(\d+) kB/m);
}

async function mostResident(pid: number, work: () => Promise<unknown>): Promise<number> {
  // From here on the kernel looks for the most anew.
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  await work();
  return megabytesOf(pid, /^VmHWM:\s+(\d+) kB/m);
}

async function megabytesOf(pid: number, line: RegExp): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number(line.exec(status)?.[1] ?? Number.NaN) * 1024) / 1e6;
}

async function end(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  await exited;
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../support/embedded-postgres.ts';
import { waitFor } from '../../support/wait-for.ts';
import { HOME, type FleetWorld } from './world.ts';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The bundled operator as the chart runs it, a process of its own. */
export interface FleetOperator {
  /** Milliseconds from its start to the line in its log. */
  logged(line: string, timeoutMs?: number): Promise<number>;
  /** Samples of a metric, by the name without the prefix. */
  metric(name: string): Promise<Sample[]>;
  /** Resident memory now, MiB. */
  rssMib(): number;
  /** CPU time so far, s. */
  cpuSeconds(): number;
  /** Milliseconds until it has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number>;
}

export interface OperatorOptions {
  /** Folder of the bundle. */
  readonly app: string;
  /** Flags of Node; those of the chart when absent. */
  readonly flags?: readonly string[] | undefined;
  /** Folder for CPU profiles. */
  readonly profile?: string | undefined;
  /** Told when an operator ends without being asked to, as one does that loses its Lease. */
  readonly onDeath: (error: Error) => void;
}

const WORRYING = /"level":"(error|warn)"|leads no more/;

/** Its credentials are mounted where a pod has them, in a mount namespace of its own: a kubeconfig costs 29 MB. */
const AS_POD =
  'mount -t tmpfs none /run && d=/run/secrets/kubernetes.io/serviceaccount && mkdir -p $d && cp "$1"/* $d && shift && exec "$@"';

export async function startFleetOperator(world: FleetWorld, options: OperatorOptions): Promise<FleetOperator> {
  const port = await freePort();
  const { hostname, port: apiPort } = new URL(world.api.server);
  const node = [process.execPath, ...flagsOf(options), join(options.app, 'operator.mjs'), 'run'];
  const started = performance.now();
  const mortal = ['--mount', 'setpriv', '--pdeathsig', 'KILL', '--'];
  const child = spawn('unshare', [...mortal, 'sh', '-c', AS_POD, 'sh', world.mount, ...node], {
    env: {
      ...settings(port),
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: apiPort,
      PATH: process.env['PATH'],
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  let isAsked = false;
  child.once('exit', (code) => {
    if (!isAsked)
      options.onDeath(new Error(`an operator has ended by itself, with ${code ?? 'a signal'}; see its log above`));
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    // What somebody would have to look at.
    for (const line of chunk.toString('utf8').split('\n')) {
      if (WORRYING.test(line)) process.stderr.write(`${line.slice(0, 400)}\n`);
    }
  });
  return {
    async logged(line, timeoutMs = 60_000) {
      await waitFor(() => output.includes(line), { what: line, everyMs: 5, timeoutMs });
      return performance.now() - started;
    },
    metric: (name) => scrape(port, name),
    rssMib: () => statusField(child, 'VmRSS') / 1024,
    cpuSeconds: () => cpuSeconds(child),
    async end(signal) {
      const asked = performance.now();
      isAsked = true;
      child.kill(signal);
      await ended;
      return performance.now() - asked;
    },
  };
}

function settings(port: number): Record<string, string> {
  return {
    MALLOC_ARENA_MAX: '1',
    MATRIX_OPERATOR_NAMESPACE: HOME,
    MATRIX_OPERATOR_SECRET_NAMESPACES: '*',
    MATRIX_OPERATOR_HEALTH_HOST: '127.0.0.1',
    MATRIX_OPERATOR_HEALTH_PORT: String(port),
    MATRIX_OPERATOR_LOG_LEVEL: 'info',
  };
}

function flagsOf({ flags, profile }: OperatorOptions): string[] {
  const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  return [...(flags ?? chartFlags()), ...profiling];
}

/** The flags that the chart gives to Node. */
export function chartFlags(): string[] {
  const template = readFileSync('charts/matrix-operator/templates/deployment.yaml', 'utf8');
  const words = /args: \[(.*)\]/.exec(template)?.[1]?.split(', ') ?? [];
  return words.filter((word) => word.startsWith('--'));
}

async function scrape(port: number, name: string): Promise<Sample[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  const lines = (await answer.text()).split('\n');
  return lines.flatMap((line) => {
    const found = /^matrix_operator_([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (found?.[1] !== name) return [];
    const labels: Record<string, string> = {};
    for (const [, key = '', value = ''] of (found[2] ?? '').matchAll(/([a-z]+)="([^"]*)"/g)) labels[key] = value;
    return [{ labels, value: Number(found[3]) }];
  });
}

/** In kB. */
function statusField(child: ChildProcess, field: string): number {
  const status = readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN);
}

function cpuSeconds(child: ChildProcess): number {
  const fields =
    readFileSync(`/proc/${child.pid ?? 0}/stat`, 'utf8')
      .split(') ')[1]
      ?.split(' ') ?? [];
  // User and system time in ticks, of which Linux has 100 a second.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

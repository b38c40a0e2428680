import { waitFor } from '../../support/wait-for.ts';
import type { Row } from '../support/rows.ts';
import { cpuOf } from './cpu.ts';
import type { Eyes } from './eyes.ts';
import type { FleetOperator } from './operator.ts';
import type { Programs } from './programs.ts';
import type { FleetWorld, Kubelet } from './world.ts';

export interface FleetOptions {
  /** How many resources. */
  readonly count: number;
  readonly editSeconds: number;
  readonly kubelet: Kubelet;
  /** Flags of Node; those of the chart when absent. */
  readonly flags?: readonly string[] | undefined;
  /** Ends after the resources were created. */
  readonly createsOnly: boolean;
  /** Folder for CPU profiles of the operator. */
  readonly profile?: string | undefined;
}

/** What every figure is taken from. */
export interface Fleet extends FleetOptions {
  readonly world: FleetWorld;
  /** Folder of the bundle. */
  readonly app: string;
  readonly eyes: Eyes;
  readonly programs: Programs;
  readonly report: (rows: readonly Row[]) => void;
  readonly onDeath: (error: Error) => void;
}

export function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

let lastTold = 0;
/** Every 5 s. */
export function progress(what: string, number: number, seconds: number): void {
  if (performance.now() - lastTold < 5000) return;
  lastTold = performance.now();
  tell(`${seconds.toFixed(0)} s: ${number} ${what}`);
}

/** Sum over the samples of a metric of the operator. */
export async function sum(
  operator: FleetOperator,
  metric: string,
  keep = (_: Readonly<Record<string, string>>) => true,
): Promise<number> {
  const samples = await operator.metric(metric);
  return samples.filter(({ labels }) => keep(labels)).reduce((total, { value }) => total + value, 0);
}

/** Waits until nothing waits for a worker and no run has ended for 3 s. */
export async function rest(operator: FleetOperator, timeoutMs = 120_000): Promise<void> {
  let last = -1;
  let since = performance.now();
  const isResting = async () => {
    const runs = await sum(operator, 'reconcile_total');
    const waiting = await sum(operator, 'queue_depth');
    if (runs !== last || waiting > 0) since = performance.now();
    last = runs;
    return performance.now() - since > 3000;
  };
  await waitFor(isResting, { what: 'a queue at rest', timeoutMs, everyMs: 500 });
}

/** CPU time of everybody who takes part, by name, s. The benchmark migrates the databases, so it is one of them. */
export function cpuTimes({ world }: Fleet, operator: FleetOperator): Map<string, number> {
  const { user, system } = process.cpuUsage();
  return new Map([
    ['the operator', operator.cpuSeconds()],
    ...Object.entries(world.servers).map(([name, root]): [string, number] => [name, cpuOf(root)]),
    ['the benchmark', (user + system) / 1e6],
  ]);
}

import { setTimeout as pause } from 'node:timers/promises';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import { TcpProxy } from '../../operator/support/tcp-proxy.ts';
import { bundle } from '../../support/bundle.ts';
import { waitFor } from '../../support/wait-for.ts';
import { row, type Row } from '../support/rows.ts';
import { quantile, timed } from '../support/stats.ts';
import { openEyes, type Eyes } from './eyes.ts';
import { startFleetOperator, type FleetOperator } from './operator.ts';
import { startPrograms, type Programs } from './programs.ts';
import { homeserver, MANAGER, nameOf, startWorld, type FleetWorld } from './world.ts';

export interface FleetOptions {
  /** How many resources. */
  readonly count: number;
  readonly editSeconds: number;
  /** Flags of Node; those of the chart when absent. */
  readonly flags?: readonly string[] | undefined;
}

/** 10 edits a second. */
const EDIT_EVERY_MS = 100;
const READS = ['get', 'list', 'watch'];

interface Fleet extends FleetOptions {
  readonly world: FleetWorld;
  readonly app: string;
  readonly eyes: Eyes;
  readonly programs: Programs;
  readonly report: (rows: readonly Row[]) => void;
}

/** Every figure of a fleet, from an empty cluster to the end of the last operator, told as soon as it is known. */
export async function fleetFigures(options: FleetOptions, report: (rows: readonly Row[]) => void): Promise<void> {
  const app = await bundle();
  tell('starting API server, PostgreSQL and kwok');
  const world = await startWorld(options.count);
  const eyes = await openEyes(world.client);
  const programs = startPrograms(world.client);
  const fleet = { ...options, world, app, eyes, programs, report };
  try {
    const first = await startFleetOperator(world, fleet);
    await first.logged('this process leads"');
    report(await creationFigures(fleet, first));
    report(await editFigures(fleet, 'spec edit to child changed'));
    await rest(first);
    report([row('leader RSS', first.rssMib(), 'MiB', '<= 150')]);
    report([row('clean stop', (await first.end('SIGTERM')) / 1000, 's', '<= 3')]);
    await restartFigures(fleet);
  } finally {
    await Promise.all([programs.stop(), eyes.stop()]);
    await world.dispose();
  }
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function sum(operator: FleetOperator, metric: string, keep = (_: Readonly<Record<string, string>>) => true) {
  const samples = await operator.metric(metric);
  return samples.filter(({ labels }) => keep(labels)).reduce((total, { value }) => total + value, 0);
}

async function creationFigures(fleet: Fleet, operator: FleetOperator): Promise<Row[]> {
  const { count, world, eyes, programs } = fleet;
  const before = await operator.metric('api_requests_total');
  const started = performance.now();
  const since = () => (performance.now() - started) / 1000;
  await timed(count, 16, (i) => world.client.create(KINDS.homeserver, homeserver(i, world.postgres), MANAGER));
  const all = (what: string, number: () => number) =>
    waitFor(() => (progress(what, number(), since()), number() >= count), { what, everyMs: 250, timeoutMs: 3_600_000 });
  await all('first children', eyes.jobs);
  const firstWave = since();
  await all('Ready', eyes.ready);
  const ready = since();
  const cpu = operator.cpuSeconds();
  tell(`${programs.migrated()} databases migrated`);
  const rows = [
    row(`${count} creates until all first children exist`, firstWave, 's', '<= 120'),
    row('... until all are Ready', ready, 's'),
    row('... CPU of the operator, each', (cpu * 1000) / count, 'ms'),
    ...(await databaseShare(operator)),
  ];
  await rest(operator);
  return [...rows, ...requestRows(before, await operator.metric('api_requests_total'), count)];
}

/** Waits until nothing waits for a worker and no run has ended for 3 s. */
async function rest(operator: FleetOperator): Promise<void> {
  let last = -1;
  let since = performance.now();
  const isResting = async () => {
    const runs = await sum(operator, 'reconcile_total');
    const waiting = await sum(operator, 'queue_depth');
    if (runs !== last || waiting > 0) since = performance.now();
    last = runs;
    return performance.now() - since > 3000;
  };
  await waitFor(isResting, { what: 'a queue at rest', timeoutMs: 120_000, everyMs: 500 });
}

let lastTold = 0;
function progress(what: string, number: number, seconds: number): void {
  if (performance.now() - lastTold < 5000) return;
  lastTold = performance.now();
  tell(`${seconds.toFixed(0)} s: ${number} ${what}`);
}

/** How much of the time of all runs was spent on making and checking databases. */
async function databaseShare(operator: FleetOperator): Promise<Row[]> {
  const all = await sum(operator, 'reconcile_seconds_sum');
  const steps = await operator.metric('step_duration_seconds_sum');
  return steps
    .filter(({ value }) => value / all >= 0.05)
    .sort((a, b) => b.value - a.value)
    .map(({ labels, value }) => row(`... share of step ${labels['step'] ?? ''}`, (100 * value) / all, '%'));
}

type Samples = Awaited<ReturnType<FleetOperator['metric']>>;

/** Requests for each resource, by verb and kind. */
function requestRows(before: Samples, after: Samples, count: number): Row[] {
  const by = new Map<string, number>();
  const add = (samples: Samples, sign: number) => {
    for (const { labels, value } of samples) {
      const { verb = '', kind = '' } = labels;
      if (['list', 'watch'].includes(verb) || kind === 'raw' || kind === 'Lease') continue;
      by.set(`${verb} ${kind}`, (by.get(`${verb} ${kind}`) ?? 0) + sign * value);
    }
  };
  add(before, -1);
  add(after, 1);
  const total = [...by.values()].reduce((a, b) => a + b, 0);
  const parts = [...by].filter(([, value]) => value > 0).sort(([, a], [, b]) => b - a);
  return [
    row('requests a create', total / count, '', '<= 25'),
    ...parts.map(([what, value]) => row(`... ${what}`, value / count, '')),
  ];
}

let edits = 0;
/** The time from an edit of the spec, sent, to the NetworkPolicy that shows it, seen. */
async function editFigures({ world, eyes, count, editSeconds }: Fleet, name: string): Promise<Row[]> {
  tell(name);
  const samples: number[] = [];
  const failures: unknown[] = [];
  const total = Math.round((editSeconds * 1000) / EDIT_EVERY_MS);
  for (let i = 0; i < total; i += 1) {
    edits += 1;
    const sent = performance.now();
    eyes.onEdit(nameOf(edits % count).name, edits, () => samples.push(performance.now() - sent));
    editSpec(world, edits % count, `edit-${edits}`).catch((error: unknown) => failures.push(error));
    await pause(EDIT_EVERY_MS);
  }
  await waitFor(() => samples.length >= total - failures.length, {
    what: 'every edit to be seen',
    timeoutMs: 120_000,
  }).catch(() => tell(`${total - samples.length} edits were not seen`));
  if (failures.length > 0) throw new Error('edits failed', { cause: failures[0] });
  return [
    row(`${name}, P50`, quantile(samples, 0.5) / 1000, 's'),
    row(`${name}, P95`, quantile(samples, 0.95) / 1000, 's', '<= 2'),
  ];
}

async function editSpec({ client }: FleetWorld, index: number, text: string): Promise<void> {
  const { apiVersion, kind } = KINDS.homeserver;
  const ingressFrom = [{ podSelector: { matchLabels: { edit: text } } }];
  const manifest = { apiVersion, kind, metadata: nameOf(index), spec: { networkPolicy: { ingressFrom } } };
  await client.apply(KINDS.homeserver, manifest, 'bench-editor');
}

async function restartFigures(fleet: Fleet): Promise<void> {
  const { world, count, report } = fleet;
  tell('a new operator looks at everything');
  const operator = await startFleetOperator(world, fleet);
  const filled = await operator.logged('all caches are filled');
  await operator.logged('this process leads"');
  const led = performance.now();
  await waitFor(async () => (await sum(operator, 'reconcile_total')) >= count, {
    what: 'a run for each resource',
    timeoutMs: 1_200_000,
  });
  const resync = (performance.now() - led) / 1000;
  const writes = await sum(operator, 'writes_total');
  const isWrite = ({ verb = '', kind = '' }) => !READS.includes(verb) && kind !== 'Lease';
  const requests = await sum(operator, 'api_requests_total', isWrite);
  report([
    row('start to caches filled', filled / 1000, 's', '<= 10'),
    row('full resync', resync, 's'),
    row('full resync, objects written', Math.max(writes, requests), '', '<= 0'),
    row('leader RSS after a full resync', operator.rssMib(), 'MiB', '<= 150'),
  ]);
  report(await stuckFigures(fleet));
  report(await failoverFigures(fleet, operator));
}

/** One resource whose PostgreSQL hangs in the middle of its work, while others are edited. */
async function stuckFigures(fleet: Fleet): Promise<Row[]> {
  const { world, count } = fleet;
  const proxy = await new TcpProxy(world.postgres).start();
  const stuck = homeserver(count, { host: '127.0.0.1', port: proxy.port });
  const metadata = { ...nameOf(0), name: 'stuck' };
  await world.client.create(KINDS.homeserver, { ...stuck, metadata }, MANAGER);
  await waitFor(() => proxy.open > 0, { what: 'a session to hang' });
  proxy.freeze();
  try {
    return await editFigures({ ...fleet, editSeconds: 10 }, 'spec edit while one database hangs');
  } finally {
    await world.client.delete(KINDS.homeserver, metadata);
    await proxy.close();
  }
}

async function failoverFigures(fleet: Fleet, leader: FleetOperator): Promise<Row[]> {
  const { world } = fleet;
  tell('a standby takes over');
  const standby = await startFleetOperator(world, fleet);
  await standby.logged('all caches are filled');
  const rss = row('standby RSS', standby.rssMib(), 'MiB', '<= 150');
  await leader.end('SIGKILL');
  const killed = performance.now();
  await waitFor(async () => (await sum(standby, 'reconcile_total')) > 0, {
    what: 'a run elsewhere',
    everyMs: 20,
    timeoutMs: 60_000,
  });
  const failover = row('leader killed to first run elsewhere', (performance.now() - killed) / 1000, 's', '<= 15');
  const stop = row('clean stop in the middle of a full resync', (await standby.end('SIGTERM')) / 1000, 's', '<= 3');
  return [rss, failover, stop];
}

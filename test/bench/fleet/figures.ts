import { KINDS } from '../../../operator/reconcile/kinds.ts';
import { TcpProxy } from '../../operator/support/tcp-proxy.ts';
import { bundle } from '../../support/bundle.ts';
import { waitFor } from '../../support/wait-for.ts';
import { row, type Row } from '../support/rows.ts';
import { createFigures } from './create-figures.ts';
import { editFigures } from './edit-figures.ts';
import { openEyes } from './eyes.ts';
import { rest, sum, tell, type Fleet, type FleetOptions } from './fleet.ts';
import { startFleetOperator, type FleetOperator } from './operator.ts';
import { playControllers, playPrograms } from './programs.ts';
import { homeserver, MANAGER, nameOf, startWorld } from './world.ts';

const READS = ['get', 'list', 'watch'];
/** Edits while a database hangs, and just before, so that the two can be compared. */
const STUCK_SECONDS = 15;

/** Every figure of a fleet, from an empty cluster to the end of the last operator, told as soon as it is known. */
export async function fleetFigures(
  options: FleetOptions,
  report: (rows: readonly Row[]) => void,
  stop: AbortSignal,
): Promise<void> {
  const app = await bundle();
  tell('starting API server and PostgreSQL');
  const world = await startWorld(options.count, options.kubelet);
  const eyes = await openEyes(world.client);
  const { client, kwok } = world;
  const programs = kwok === undefined ? playControllers(client) : playPrograms(client, kwok);
  const { promise: end, reject: onDeath } = Promise.withResolvers<never>();
  stop.addEventListener('abort', () => onDeath(stop.reason));
  try {
    await Promise.race([allFigures({ ...options, world, app, eyes, programs, report, onDeath }), end]);
  } finally {
    await Promise.all([programs.stop(), eyes.stop()]);
    await world.dispose();
  }
}

async function allFigures(fleet: Fleet): Promise<void> {
  const { world, report } = fleet;
  const first = await startFleetOperator(world, fleet);
  await first.logged('this process leads"');
  report(await createFigures(fleet, first));
  if (!fleet.createsOnly) {
    report(await editFigures(fleet, first, 'spec edit to child changed'));
    await rest(first);
    report([row('leader RSS', first.rssMib(), 'MiB', '<= 150')]);
  }
  report([row('clean stop', (await first.end('SIGTERM')) / 1000, 's', '<= 3')]);
  if (!fleet.createsOnly) await restartFigures(fleet);
}

async function restartFigures(fleet: Fleet): Promise<void> {
  const { world, count, report } = fleet;
  tell('a new operator looks at everything');
  const operator = await startFleetOperator(world, fleet);
  const filled = await operator.logged('all caches are filled');
  await operator.logged('this process leads"');
  const led = performance.now();
  const cpu = operator.cpuSeconds();
  await waitFor(async () => (await sum(operator, 'reconcile_total')) >= count, {
    what: 'a run for each resource',
    timeoutMs: 600_000,
  });
  const resync = (performance.now() - led) / 1000;
  const spent = operator.cpuSeconds() - cpu;
  const writes = await sum(operator, 'writes_total');
  const isWrite = ({ verb = '', kind = '' }) => !READS.includes(verb) && kind !== 'Lease';
  const requests = await sum(operator, 'api_requests_total', isWrite);
  report([
    row('start to caches filled', filled / 1000, 's', '<= 10'),
    row('full resync', resync, 's'),
    row('... CPU of the operator, each', (spent * 1000) / count, 'ms'),
    row('full resync, objects written', Math.max(writes, requests), '', '<= 0'),
    row('leader RSS after a full resync', operator.rssMib(), 'MiB', '<= 150'),
  ]);
  report(await stuckFigures(fleet, operator));
  report(await failoverFigures(fleet, operator));
}

/** One resource whose PostgreSQL hangs in the middle of its work, while others are edited. */
async function stuckFigures(fleet: Fleet, operator: FleetOperator): Promise<Row[]> {
  const { world, count } = fleet;
  const short = { ...fleet, editSeconds: Math.min(STUCK_SECONDS, fleet.editSeconds) };
  await rest(operator);
  const before = await editFigures(short, operator, 'spec edit before a database hangs');
  await rest(operator);
  const proxy = await new TcpProxy(world.postgres).start();
  const stuck = homeserver(count, { host: '127.0.0.1', port: proxy.port });
  const metadata = { ...nameOf(0), name: 'stuck' };
  await world.client.create(KINDS.homeserver, { ...stuck, metadata }, MANAGER);
  await waitFor(() => proxy.open > 0, { what: 'a session to hang' });
  proxy.freeze();
  try {
    return [...before, ...(await editFigures(short, operator, 'spec edit while one database hangs'))];
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
  await rest(leader);
  const rss = row('standby RSS', standby.rssMib(), 'MiB', '<= 150');
  await leader.end('SIGKILL');
  const failover = await firstRun(standby);
  const second = await startFleetOperator(world, fleet);
  await second.logged('all caches are filled');
  const asked = performance.now();
  const stop = standby.end('SIGTERM');
  await firstRun(second);
  const handOver = (performance.now() - asked) / 1000;
  const stopped = (await stop) / 1000;
  await second.end('SIGTERM');
  return [
    rss,
    row('leader killed to first run elsewhere', failover, 's', '<= 15'),
    row('leader stopped to first run elsewhere', handOver, 's', '<= 3'),
    row('clean stop in the middle of a full resync', stopped, 's', '<= 3'),
  ];
}

/** Seconds until its first run has ended. */
async function firstRun(operator: FleetOperator): Promise<number> {
  const since = performance.now();
  await waitFor(async () => (await sum(operator, 'reconcile_total')) > 0, {
    what: 'a run elsewhere',
    everyMs: 20,
    timeoutMs: 60_000,
  });
  return (performance.now() - since) / 1000;
}

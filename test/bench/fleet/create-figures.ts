import { KINDS } from '../../../operator/reconcile/kinds.ts';
import { waitFor } from '../../support/wait-for.ts';
import { row, type Row } from '../support/rows.ts';
import { timed } from '../support/stats.ts';
import { cpuTimes, progress, rest, sum, tell, type Fleet } from './fleet.ts';
import type { FleetOperator, Sample } from './operator.ts';
import { homeserver, MANAGER } from './world.ts';

/** On a machine on which 1,000 take longer than this no other figure would be worth anything. */
const MOST_MS = 1_800_000;

/**
 * From the first POST until every resource is Ready. The first children are those of one run each, and no pod takes the two
 * cores from them: what is in the pods belongs to the nodes, and to the time until all are Ready.
 */
export async function createFigures(fleet: Fleet, operator: FleetOperator): Promise<Row[]> {
  const { count, world, eyes, programs } = fleet;
  const before = await operator.metric('api_requests_total');
  const sessions = await world.sessions();
  const cpu = cpuTimes(fleet, operator);
  const started = performance.now();
  const since = () => (performance.now() - started) / 1000;
  const all = async (what: string, number: () => number): Promise<number> => {
    const isThere = () => (progress(what, number(), since()), number() >= count);
    await waitFor(isThere, { what, everyMs: 250, timeoutMs: MOST_MS });
    return since();
  };
  await timed(count, 16, (i) => world.client.create(KINDS.homeserver, homeserver(i, world.postgres), MANAGER));
  const posted = since();
  const first = await all('first children', eyes.jobs);
  const firstCpu = cpuTimes(fleet, operator);
  const firstRuns = await sum(operator, 'reconcile_total');
  await programs.schedule();
  const ready = await all('Ready', eyes.ready);
  tell(`${programs.migrated()} databases migrated`);
  const rows = [
    row(`${count} creates until the API server has them`, posted, 's'),
    row(`${count} creates until all first children exist`, first, 's', '<= 120'),
    row('... runs until then, each', firstRuns / count, ''),
    ...cpuRows(cpu, firstCpu, count),
    row('... until all are Ready', ready, 's'),
    ...cpuRows(cpu, cpuTimes(fleet, operator), count),
    ...(await stepShares(operator)),
    row('RSS of the operator, just after', operator.rssMib(), 'MiB'),
  ];
  await rest(operator);
  return [
    ...rows,
    row('sessions of PostgreSQL a create, with those of 2 programs', ((await world.sessions()) - sessions) / count, ''),
    row('runs a create', (await sum(operator, 'reconcile_total')) / count, ''),
    ...requestRows(before, await operator.metric('api_requests_total'), count),
  ];
}

function cpuRows(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>, count: number): Row[] {
  return [...after].map(([name, seconds]) =>
    row(`... CPU of ${name}, each`, ((seconds - (before.get(name) ?? 0)) * 1000) / count, 'ms'),
  );
}

/** Which steps the time of all runs was spent on. */
async function stepShares(operator: FleetOperator): Promise<Row[]> {
  const all = await sum(operator, 'reconcile_seconds_sum');
  const steps = await operator.metric('step_duration_seconds_sum');
  return steps
    .filter(({ value }) => value / all >= 0.05)
    .sort((a, b) => b.value - a.value)
    .map(({ labels, value }) => row(`... share of step ${labels['step'] ?? ''}`, (100 * value) / all, '%'));
}

/** Requests for each resource, by verb and kind. */
function requestRows(before: readonly Sample[], after: readonly Sample[], count: number): Row[] {
  const by = new Map<string, number>();
  const add = (samples: readonly Sample[], sign: number) => {
    for (const { labels, value } of samples) {
      const { verb = '', kind = '' } = labels;
      if (verb === 'watch' || kind === 'raw' || kind === 'Lease') continue;
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

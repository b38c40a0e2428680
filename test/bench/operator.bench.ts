import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { createKubeClient } from '../../operator/runtime/kube-client.ts';
import { chooseProvider } from '../cluster/choose-provider.ts';
import { fleetFigures } from './fleet/figures.ts';
import { KUBELETS } from './fleet/world.ts';
import { applyExample, noOpWrites, podRss, removeExample, startFigures } from './support/operator-figures.ts';
import { printRows, row, writeRows, type Row } from './support/rows.ts';

const HELP = `npm run bench:operator -- [options]

Measures the operator: its memory and start on an API server of its own; then, on a cluster in which it is installed,
the time from applying the quickstart to Ready, what a run without changes writes, and the memory of its pods.

  --kubeconfig FILE       a cluster with the operator; default: the one of npm start, if it runs
  --context NAME          context of that kubeconfig
  --postgres-image IMAGE  in place of the one that the quickstart names
  --fleet                 in place of all that: many resources on an API server and a PostgreSQL of its own (Linux, root, many
                          GB of disk, many minutes)
  --kubelet NAME          kwok [kwok]: the controllers of Kubernetes make pods, kwok runs them, the benchmark does what the
                          programs in them would do; simulated: the benchmark plays controllers and pods, with less CPU
  --resources N           how many [1000]
  --edit-seconds N        how long specs are edited, 10 a second [60]
  --creates-only          end when all resources are Ready
  --node-flags FLAGS      flags of the operator's Node, by comma, in place of the chart's
  --profile FOLDER        CPU profiles of the fleet's operators
  --minutes N             give up after so long, with the figures that are known by then [45]
  --json FILE             write rows of name, value, unit, target, ok, as soon as they are known
  --help                  this text
`;

/** For ending all servers in order, ms; they end with this process in any case. */
const LAST_MS = 20_000;

interface Target {
  readonly kubeconfig: string;
  readonly context: string;
  readonly postgresImage: string | undefined;
}

async function clusterFigures(target: Target): Promise<Row[]> {
  const client = createKubeClient({ ...target, userAgent: 'bench' });
  const namespace = `bench-${randomBytes(4).toString('hex')}`;
  try {
    process.stderr.write(`applying the quickstart in namespace ${namespace}\n`);
    const readyMs = await applyExample(client, namespace, target.postgresImage);
    const writes = await noOpWrites(client, namespace);
    const rssMb = await podRss(client, { kubeconfigPath: target.kubeconfig, contextName: target.context });
    return [
      row('apply to Ready', readyMs / 1000, 's', '<= 20'),
      row('no-op run writes', writes, 'objects', '<= 0'),
      row('operator RSS', rssMb, 'MB', '<= 90'),
    ];
  } finally {
    await removeExample(client, namespace);
    await client.close();
  }
}

function currentContext(kubeconfig: string): string {
  const file = z.looseObject({ 'current-context': z.string() }).parse(parse(readFileSync(kubeconfig, 'utf8')));
  return file['current-context'];
}

interface Values {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly 'postgres-image'?: string;
  readonly resources: string;
  readonly 'edit-seconds': string;
  readonly kubelet: string;
  readonly 'node-flags'?: string;
  readonly 'creates-only'?: boolean;
  readonly profile?: string;
  readonly minutes: string;
  readonly json?: string;
}

async function findTarget(values: Values) {
  const { kubeconfig, context, 'postgres-image': postgresImage } = values;
  if (kubeconfig !== undefined) {
    return { kubeconfig, context: context ?? currentContext(kubeconfig), postgresImage };
  }
  const provider = await chooseProvider({ context });
  const handle = await provider.find();
  if (handle === undefined) return undefined;
  const local = handle.provider === 'local' ? 'localhost/matrix-operator-postgres:dev' : undefined;
  return { kubeconfig: handle.kubeconfigPath, context: handle.contextName, postgresImage: postgresImage ?? local };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kubeconfig: { type: 'string' },
      context: { type: 'string' },
      'postgres-image': { type: 'string' },
      json: { type: 'string' },
      fleet: { type: 'boolean' },
      resources: { type: 'string', default: '1000' },
      'edit-seconds': { type: 'string', default: '60' },
      kubelet: { type: 'string', default: 'kwok' },
      'node-flags': { type: 'string' },
      'creates-only': { type: 'boolean' },
      profile: { type: 'string' },
      minutes: { type: 'string', default: '45' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const rows: Row[] = [];
  try {
    if (values.fleet === true) {
      await fleet(values, (more) => {
        rows.push(...more);
        // What is known already is worth having when the rest takes an hour or fails.
        for (const { name, value, unit } of more) process.stderr.write(`${name}: ${value.toFixed(2)} ${unit}\n`);
        writeRows(values.json, rows);
      });
    }
    if (values.fleet !== true) rows.push(...(await single(values)));
  } finally {
    printRows(rows);
    writeRows(values.json, rows);
  }
  return rows.every(({ ok }) => ok) ? 0 : 1;
}

async function fleet(values: Values, report: (rows: readonly Row[]) => void): Promise<void> {
  const count = z.coerce.number().int().min(1).max(10_000).parse(values.resources);
  const editSeconds = z.coerce.number().int().min(1).max(3600).parse(values['edit-seconds']);
  const minutes = z.coerce.number().min(1).max(1440).parse(values.minutes);
  const kubelet = z.enum(KUBELETS).parse(values.kubelet);
  const { 'creates-only': createsOnly = false, profile } = values;
  const options = { count, editSeconds, kubelet, flags: values['node-flags']?.split(','), createsOnly, profile };
  const stop = new AbortController();
  const giveUp = (why: string) => {
    stop.abort(new Error(why));
    setTimeout(() => process.exit(1), LAST_MS);
  };
  const timer = setTimeout(() => giveUp(`not done after ${minutes} minutes`), minutes * 60_000);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => giveUp(`stopped by ${signal}`));
  await fleetFigures(options, report, stop.signal).finally(() => clearTimeout(timer));
}

async function single(values: Values): Promise<Row[]> {
  process.stderr.write('starting the operator on an API server of its own\n');
  const { rssMb, leadMs } = await startFigures();
  // With a kubeconfig the operator loads the library that reads them, which it does not need inside a pod.
  const rows = [row('operator RSS with a kubeconfig', rssMb, 'MB'), row('operator start to leading', leadMs, 'ms')];
  const target = await findTarget(values);
  if (target === undefined) process.stderr.write('no cluster runs: npm start brings one up for the other figures\n');
  else rows.push(...(await clusterFigures(target)));
  return rows;
}

// What was given up may still be waiting for something.
process.exit(await main());

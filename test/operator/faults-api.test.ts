import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { waitFor } from '../support/wait-for.ts';
import type { ApiProxy, Fault } from './support/api-proxy.ts';
import { startApiProxy } from './support/api-proxy.ts';
import { endState } from './support/compare.ts';
import type { OwnStage, RunningOperator } from './support/stage.ts';
import { applyHomeserver, openOwnStage, readHomeserver, waitReady } from './support/stage.ts';

/** Shorter than in life: a request without an answer is given up, a watch that broke is begun again. */
const requestTimeoutMs = 1500;
const backoff = { minMs: 50, maxMs: 500, jitter: 0.2 };
const REPLICAS = { replicas: 2 };

let stage: OwnStage;
let proxy: ApiProxy;
let operator: RunningOperator;
/** Everything the operator makes of a resource when nothing goes wrong. */
let whole: string;
/** What befalls the requests of a namespace; each test of a fault has its own. */
const faults = new Map<string, (line: string) => Fault | undefined>();

beforeAll(async () => {
  stage = await openOwnStage();
  proxy = await startApiProxy(stage.api);
  proxy.intercept = (line) => faults.get(/\/namespaces\/([^/?]+)\//.exec(line)?.[1] ?? '')?.(line);
  operator = await stage.startOperator({
    kubeconfig: proxy.kubeconfigPath,
    requestTimeoutMs,
    watchTiming: { backoff },
  });
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, REPLICAS);
  await waitReady(stage, namespace);
  whole = await endState(stage, namespace);
});
afterAll(async () => {
  await stage.dispose();
  await proxy.close();
});

const isWrite = (line: string) => /^(POST|PUT|PATCH|DELETE) /.test(line);

/** The fault befalls each request, told apart by verb and path, the first time only. */
function firstTime(fault: Fault, concerns: (line: string) => boolean) {
  const seen = new Set<string>();
  return (line: string): Fault | undefined => {
    const what = line.replace(/\?.*/, '');
    if (!concerns(line) || seen.has(what)) return undefined;
    seen.add(what);
    return fault;
  };
}

/** The fault befalls one request in `n`. */
function oneIn(n: number, fault: Fault) {
  let count = 0;
  return () => ((count += 1) % n === 0 ? fault : undefined);
}

const never = new Promise(() => undefined);
const conflict = { kind: 'Status', reason: 'Conflict', code: 409, message: 'the object has been modified' };

const FAULTS: { name: string; make: () => (line: string) => Fault | undefined }[] = [
  { name: 'every write is a 409 at first', make: () => firstTime({ status: 409, body: conflict }, isWrite) },
  { name: 'every write is a 503 at first', make: () => firstTime({ status: 503 }, isWrite) },
  { name: 'the answer to every write is lost at first', make: () => firstTime({ answer: 'lost' }, isWrite) },
  {
    name: 'the first answer to every request is cut in the middle',
    make: () => firstTime({ answer: 'cut' }, () => true),
  },
  { name: 'one request in ten is never answered', make: () => oneIn(10, { after: never }) },
  {
    name: 'every answer is slow',
    make: () => () => ({ after: new Promise((resolve) => setTimeout(resolve, 100)) }),
  },
];

/** One database, one claim, one key and one migration, and every object as if nothing had happened. */
async function expectWhole(namespace: string): Promise<void> {
  const { status } = await waitReady(stage, namespace);
  expect(await endState(stage, namespace)).toBe(whole);
  const name = status.database?.name ?? '';
  expect(await stage.sql('select claim from matrix_operator.owner', [], name)).toEqual([
    { claim: status.database?.claim },
  ]);
  const keys = await stage.sql('select public_key from matrix_operator.signing_key', [], name);
  expect(keys).toEqual([{ public_key: status.signingKeys?.[0]?.publicKey }]);
}

test('whatever befalls the requests of a creation, the end is the same and nothing is made twice', {
  timeout: 300_000,
}, async () => {
  const namespaces = await Promise.all(FAULTS.map(() => stage.namespace()));
  const jobsBefore = stage.actors.jobsRun.length;
  for (const [i, namespace] of namespaces.entries()) faults.set(namespace, FAULTS[i]?.make() ?? expect.fail());
  await Promise.all(namespaces.map((namespace) => applyHomeserver(stage, namespace, REPLICAS)));
  for (const [i, namespace] of namespaces.entries()) {
    // Each request that is never answered costs its time limit, and what failed waits longer from time to time.
    await waitReady(stage, namespace, 200_000).catch((error: unknown) => {
      throw new Error(`where ${FAULTS[i]?.name}`, { cause: error });
    });
  }
  faults.clear();
  for (const namespace of namespaces) await expectWhole(namespace);
  expect(stage.actors.jobsRun).toHaveLength(jobsBefore + namespaces.length);
});

test('after a 429 no request is sent before Retry-After, and then all resources are served', async () => {
  const namespaces = await Promise.all([1, 2, 3, 4].map(() => stage.namespace()));
  const refusals: number[] = [];
  const arrivals: number[] = [];
  let left = 2;
  const refuse = (): Fault | undefined => {
    arrivals.push(performance.now());
    const isDue = left > 0 && performance.now() - (refusals.at(-1) ?? 0) > 1000 && arrivals.length % 7 === 0;
    if (!isDue) return undefined;
    left -= 1;
    refusals.push(performance.now());
    return { status: 429, headers: { 'retry-after': '1' } };
  };
  for (const namespace of namespaces) faults.set(namespace, refuse);
  await Promise.all(namespaces.map((namespace) => applyHomeserver(stage, namespace, REPLICAS)));
  for (const namespace of namespaces) await expectWhole(namespace);
  faults.clear();
  expect(refusals).toHaveLength(2);
  // What was on its way already may still arrive.
  const early = arrivals.filter((at) => refusals.some((refused) => at > refused + 300 && at < refused + 950));
  expect(early).toEqual([]);
});

const Sample = z.object({ labels: z.record(z.string(), z.union([z.string(), z.number()])), value: z.number() });

/** How often each kind was listed because of `cause`. */
async function relists(cause: string): Promise<Record<string, number>> {
  const { values } = z.object({ values: z.array(Sample) }).parse(await operator.metrics.relists.get());
  const found = values.filter(({ labels }) => labels['cause'] === cause);
  return Object.fromEntries(found.map(({ labels, value }) => [String(labels['kind']), value]));
}

/** What is missed while nobody listens: a resource is edited, a child of it deleted. */
async function change(namespace: string, spec: object): Promise<void> {
  await applyHomeserver(stage, namespace, spec);
  await stage.client.delete(KINDS.service, { namespace, name: 'chat' });
}

async function waitChanged(namespace: string, replicas: number): Promise<void> {
  const { status } = await waitReady(stage, namespace);
  expect(status.replicas).toBe(replicas);
  await waitFor(() => stage.client.get(KINDS.service, { namespace, name: 'chat' }), { what: 'the Service' });
}

test('watches that are cut in a line again and again miss nothing, and nothing is listed for it', async () => {
  const namespace = await stage.namespace();
  const cutting = setInterval(() => proxy.breakWatches('cut'), 200);
  await applyHomeserver(stage, namespace, REPLICAS);
  await waitReady(stage, namespace, 120_000).finally(() => clearInterval(cutting));
  await expectWhole(namespace);
  expect([await relists('gone'), await relists('stalled'), await relists('unreadable')]).toEqual([{}, {}, {}]);
});

test('after a 410 on every watch, also on a later page, each kind is listed once and what was missed is done', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, REPLICAS);
  await waitReady(stage, namespace);
  const gone = { kind: 'Status', reason: 'Expired', code: 410, message: 'too old resource version' };
  let pages = 0;
  proxy.frozen = true;
  await change(namespace, { replicas: 3 });
  const forNamespaces = proxy.intercept;
  proxy.intercept = (line) => {
    if (!line.startsWith('GET') || !line.includes('/matrixhomeservers?')) return forNamespaces(line);
    if (line.includes('continue=')) return { status: 410, body: gone };
    if (!line.includes('limit=500')) return undefined;
    pages += 1;
    return { status: 200, body: { kind: 'List', metadata: { resourceVersion: '1', continue: 'abc' }, items: [] } };
  };
  proxy.inject(`${JSON.stringify({ type: 'ERROR', object: gone })}\n`);
  proxy.frozen = false;
  await waitChanged(namespace, 3);
  proxy.intercept = forNamespaces;
  expect(pages).toBe(1);
  const counts = Object.entries(await relists('gone'));
  expect(counts.length).toBeGreaterThan(8);
  // Secrets are watched three times: ours, those of users and the entries of servers.
  expect(counts.filter(([kind, count]) => count > (kind === 'Secret' ? 3 : 1))).toEqual([]);
});

test('an API server that restarts in the middle of a creation is found again', async () => {
  const namespaces = await Promise.all([1, 2].map(() => stage.namespace()));
  const first = namespaces[0] ?? '';
  await Promise.all(namespaces.map((namespace) => applyHomeserver(stage, namespace, REPLICAS)));
  await waitFor(() => stage.client.get(KINDS.secret, { namespace: first, name: 'chat-db' }), { what: 'a beginning' });
  await stage.api.restart();
  for (const namespace of namespaces) {
    await waitFor(() => readHomeserver(stage, namespace), { what: 'the API server' });
    await expectWhole(namespace);
  }
});

test('while all watches are silent, edits and deleted children are found all the same', async () => {
  const { kubeconfigPath: kubeconfig } = proxy;
  await operator.stop();
  const impatient = await stage.startOperator({ kubeconfig, watchTiming: { backoff, stallMs: 500 } });
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, REPLICAS);
  await waitReady(stage, namespace);
  proxy.frozen = true;
  await change(namespace, { replicas: 1 });
  await waitChanged(namespace, 1);
  // Nothing of all this was a failure that nobody foresaw.
  const errors = [operator, impatient].flatMap(({ lines }) => lines.filter((line) => line.includes('"level":"error"')));
  expect(errors).toEqual([]);
});

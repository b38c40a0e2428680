import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { applyIfChanged, childCopy } from '../../operator/runtime/apply.ts';
import { createEventRecorder } from '../../operator/runtime/events.ts';
import type { KubeClient } from '../../operator/runtime/kube-client.ts';
import { createKubeClient } from '../../operator/runtime/kube-client.ts';
import { KubeError, isAlreadyExists, isConflict, isTransient } from '../../operator/runtime/kube-error.ts';
import type { Manifest, Resource } from '../../operator/runtime/kube-object.ts';
import { desiredDigest, ownedDigest } from '../../operator/runtime/owned-fields.ts';
import type { ApiServer } from '../cluster/api-server.ts';
import type { ApiProxy } from './support/api-proxy.ts';
import { startApiProxy } from './support/api-proxy.ts';
import { takeApiServer } from './support/api-servers.ts';

const CONFIG_MAPS: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const DEPLOYMENTS: Resource = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments', namespaced: true };
const NAMESPACES: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };
const EVENTS: Resource = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events', namespaced: true };

let api: ApiServer;
let proxy: ApiProxy;
let client: KubeClient;
const finished: { verb: string; kind: string; status: number }[] = [];

beforeAll(async () => {
  api = await takeApiServer();
});
beforeEach(async () => {
  proxy = await startApiProxy(api);
  finished.length = 0;
  client = createKubeClient({
    kubeconfig: proxy.kubeconfigPath,
    userAgent: 'test',
    onRequest: ({ verb, kind, status }) => finished.push({ verb, kind, status }),
  });
});
afterEach(async () => {
  await client.close();
  await proxy.close();
});

function configMap(name: string, data: Record<string, string> = {}): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default', labels: { test: 'yes' } },
    data,
  };
}

function deployment(name: string, image: string): Manifest {
  const labels = { app: name };
  const container = {
    name: 'main',
    image,
    ports: [{ name: 'http', containerPort: 8008 }],
    env: [{ name: 'A', value: '1' }],
  };
  const volumes = [{ name: 'tmp', emptyDir: {} }];
  const template = { metadata: { labels }, spec: { containers: [container], volumes } };
  const spec = { replicas: 1, selector: { matchLabels: labels }, template };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'default', labels }, spec };
}

async function failure(work: Promise<unknown>): Promise<KubeError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof KubeError) return error;
  throw new Error('a KubeError was expected', { cause: error });
}

test('what is absent is undefined or false, what exists already is a 409', async () => {
  const name = { namespace: 'default', name: 'one' };
  expect(await client.get(CONFIG_MAPS, name)).toBeUndefined();
  expect(await client.delete(CONFIG_MAPS, name)).toBe(false);
  await client.create(CONFIG_MAPS, configMap('one'), 'test');
  expect(isAlreadyExists(await failure(client.create(CONFIG_MAPS, configMap('one'), 'test')))).toBe(true);
  expect(await client.get(NAMESPACES, { name: 'default' })).toMatchObject({ metadata: { name: 'default' } });
  const wrong = { uid: '00000000-0000-0000-0000-000000000000' };
  expect(isConflict(await failure(client.delete(CONFIG_MAPS, name, wrong)))).toBe(true);
  expect(await client.delete(CONFIG_MAPS, name)).toBe(true);
  expect(finished.at(-1)).toEqual({ verb: 'delete', kind: 'ConfigMap', status: 200 });
});

test('a list of several pages is whole', async () => {
  for (let i = 0; i < 5; i += 1) await client.apply(CONFIG_MAPS, configMap(`page-${i}`), 'test');
  proxy.rewrite = (url) => url.replace('limit=500', 'limit=2');
  const { items } = await client.list(CONFIG_MAPS, { namespace: 'default', labelSelector: 'test=yes' });
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['page-0', 'page-1', 'page-2', 'page-3', 'page-4']);
  expect(proxy.requests.filter((line) => line.includes('continue='))).toHaveLength(2);
});

test('a write with an old version is a conflict, and nothing is written', async () => {
  const first = await client.create(CONFIG_MAPS, configMap('versioned', { a: '1' }), 'test');
  await client.replace(CONFIG_MAPS, { ...first, data: { a: '2' } }, 'test');
  expect(isConflict(await failure(client.replace(CONFIG_MAPS, { ...first, data: { a: '3' } }, 'test')))).toBe(true);
  expect(await client.get(CONFIG_MAPS, { namespace: 'default', name: 'versioned' })).toMatchObject({
    data: { a: '2' },
  });
});

test('a status is applied only to the version that was read', async () => {
  const made = await client.apply(DEPLOYMENTS, deployment('status', 'a:1'), 'test');
  const patch = { namespace: 'default', name: 'status', resourceVersion: made.metadata.resourceVersion };
  const after = await client.applyStatus(DEPLOYMENTS, { ...patch, status: { observedGeneration: 1 } }, 'test-status');
  expect(after).toMatchObject({ status: { observedGeneration: 1 }, spec: { replicas: 1 } });
  const late = await failure(
    client.applyStatus(DEPLOYMENTS, { ...patch, status: { observedGeneration: 2 } }, 'test-status'),
  );
  expect(isConflict(late)).toBe(true);
});

test('429 is an error that says how long to wait, and meanwhile no request at all is sent', async () => {
  let refusals = 0;
  proxy.intercept = () => ((refusals += 1) === 1 ? { status: 429, headers: { 'retry-after': '1' } } : undefined);
  const error = await failure(client.get(NAMESPACES, { name: 'default' }));
  expect([error.status, error.retryAfterMs, isTransient(error)]).toEqual([429, 1000, true]);
  const before = performance.now();
  await client.get(NAMESPACES, { name: 'default' });
  // 5 ms for the rounding of timers.
  expect(performance.now() - before).toBeGreaterThan(995);
});

test.for([
  { name: 'no answer', prepare: () => proxy.close(), status: 0, transient: true },
  { name: 'a fault of the server', fault: { status: 500 }, status: 500, transient: true },
  {
    name: 'a refusal',
    fault: { status: 403, body: { reason: 'Forbidden', message: 'not you' } },
    status: 403,
    transient: false,
  },
  {
    name: 'an object that makes no sense',
    fault: { status: 200, body: { kind: 'Nothing' } },
    status: 0,
    transient: true,
  },
])('$name is a KubeError', async ({ prepare, fault, status, transient }) => {
  if (fault !== undefined) proxy.intercept = () => fault;
  await prepare?.();
  const error = await failure(client.get(NAMESPACES, { name: 'default' }));
  expect([error.status, isTransient(error)]).toEqual([status, transient]);
  if (status === 403) expect(error.message).toContain('not you');
});

test('an API server that accepts and never answers is given up', async () => {
  const hasty = createKubeClient({ kubeconfig: proxy.kubeconfigPath, userAgent: 'test', requestTimeoutMs: 100 });
  proxy.rewrite = () => '/api/v1/namespaces?watch=true&timeoutSeconds=60';
  expect((await failure(hasty.getRaw('/version'))).status).toBe(0);
  await hasty.close();
});

test('what is applied already is not applied again, without a request', async () => {
  const manifest = deployment('digest', 'a:1');
  const target = { resource: DEPLOYMENTS, manifest, manager: 'matrix-operator' };
  const first = await applyIfChanged(client, target, undefined);
  if (!first.written) throw new Error('the first apply writes');
  const cached = childCopy(first.object, 'matrix-operator');
  expect(cached.digest).toBe(desiredDigest(manifest));
  const requests = proxy.requests.length;
  expect(await applyIfChanged(client, target, cached)).toEqual({ written: false });
  expect(proxy.requests).toHaveLength(requests);
});

test('a field of ours that somebody changes is seen and put back, a field of theirs is left alone', async () => {
  const manifest = deployment('drift', 'a:1');
  const target = { resource: DEPLOYMENTS, manifest, manager: 'matrix-operator' };
  await applyIfChanged(client, target, undefined);
  const theirs = { ...deployment('drift', 'b:2') };
  const drifted = await client.apply(
    DEPLOYMENTS,
    { ...theirs, metadata: { ...theirs.metadata, annotations: { x: 'y' } } },
    'somebody',
  );
  expect(ownedDigest(drifted, 'matrix-operator')).not.toBe(desiredDigest(manifest));
  const again = await applyIfChanged(client, target, childCopy(drifted, 'matrix-operator'));
  if (!again.written) throw new Error('drift is repaired');
  expect(ownedDigest(again.object, 'matrix-operator')).toBe(desiredDigest(manifest));
  expect(again.object.metadata.annotations).toEqual({ x: 'y' });
});

test('a field that we no longer want is removed', async () => {
  const before = configMap('fewer', { a: '1', b: '2' });
  const first = await client.apply(CONFIG_MAPS, before, 'matrix-operator');
  const target = { resource: CONFIG_MAPS, manifest: configMap('fewer', { a: '1' }), manager: 'matrix-operator' };
  const result = await applyIfChanged(client, target, childCopy(first, 'matrix-operator'));
  expect(result).toMatchObject({ written: true, object: { data: { a: '1' } } });
  expect(result.written && result.object['data']).toEqual({ a: '1' });
});

test('an Event is written once for people, however often it is recorded, also by two operators', async () => {
  const about = await client.create(CONFIG_MAPS, configMap('talked-about'), 'test');
  const errors: unknown[] = [];
  const recorder = () =>
    createEventRecorder({ client, component: 'test-recorder', instance: 'i', onError: (e) => errors.push(e) });
  const [one, two] = [recorder(), recorder()];
  const event = {
    about: { ...about, kind: 'ConfigMap', apiVersion: 'v1' },
    type: 'Warning',
    reason: 'Odd',
    action: 'Look',
    message: 'it is odd',
  } as const;
  for (const by of [one, one, two]) await by.record(event);
  const { items } = await client.list(EVENTS, { namespace: 'default' });
  const ours = items.filter((item) => item['reportingController'] === 'test-recorder');
  expect(ours).toMatchObject([{ note: 'it is odd', reason: 'Odd', regarding: { name: 'talked-about' } }]);
  expect(errors).toEqual([]);
});

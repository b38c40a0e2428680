import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { KubeClient } from '../../operator/runtime/kube-client.ts';
import { createKubeClient } from '../../operator/runtime/kube-client.ts';
import type { Manifest, Resource } from '../../operator/runtime/kube-object.ts';
import type { Reflector, ReflectorEvent, ReflectorTiming } from '../../operator/runtime/reflector.ts';
import { createReflector } from '../../operator/runtime/reflector.ts';
import type { ApiServerHandle } from '../cluster/api-server.ts';
import { startApiServer } from '../cluster/api-server.ts';
import { waitFor } from '../support/wait-for.ts';
import type { ApiProxy } from './support/api-proxy.ts';
import { startApiProxy } from './support/api-proxy.ts';

const CONFIG_MAPS: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const backoff = { minMs: 10, maxMs: 200, jitter: 0.2 };
const gone = { kind: 'Status', status: 'Failure', reason: 'Expired', code: 410, message: 'too old resource version' };

let api: ApiServerHandle;
/** Straight to the API server, for what others do. */
let direct: KubeClient;
let proxy: ApiProxy;
let client: KubeClient;
let running: { stop: AbortController; ended: Promise<void> } | undefined;

beforeAll(async () => {
  api = await startApiServer();
  direct = createKubeClient({ kubeconfig: api.kubeconfigPath, userAgent: 'test' });
});
beforeEach(async () => {
  proxy = await startApiProxy(api);
  client = createKubeClient({ kubeconfig: proxy.kubeconfigPath, userAgent: 'test' });
});
afterEach(async () => {
  running?.stop.abort();
  await running?.ended;
  running = undefined;
  await client.close();
  await proxy.close();
  for (const { metadata } of (await direct.list(CONFIG_MAPS, { labelSelector: 'test=yes' })).items) {
    await direct.delete(CONFIG_MAPS, { namespace: 'default', name: metadata.name });
  }
});
afterAll(async () => {
  await direct.close();
  await api.dispose();
});

function configMap(name: string, value: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default', labels: { test: 'yes' } },
    data: { value },
  };
}

const put = (name: string, value: string) => direct.apply(CONFIG_MAPS, configMap(name, value), 'test');
const remove = (name: string) => direct.delete(CONFIG_MAPS, { namespace: 'default', name });

interface Copy {
  name: string;
  value: string;
}
interface Watched {
  readonly reflector: Reflector<Copy>;
  readonly keys: string[];
  readonly events: ReflectorEvent[];
  readonly lists: () => string[];
}

function start(timing: Partial<ReflectorTiming> = {}): Watched {
  const keys: string[] = [];
  const events: ReflectorEvent[] = [];
  const reflector = createReflector<Copy>({
    client,
    resource: CONFIG_MAPS,
    labelSelector: 'test=yes',
    keep: ({ metadata, data }) => ({ name: metadata.name, value: JSON.stringify(data) }),
    keysOf: ({ name }) => [name],
    onKey: (key) => keys.push(key),
    onEvent: (event) => events.push(event),
    timing: { backoff, ...timing },
  });
  const stop = new AbortController();
  running = { stop, ended: reflector.run(stop.signal) };
  return {
    reflector,
    keys,
    events,
    lists: () => events.flatMap(({ what, cause }) => (what === 'list' ? [cause] : [])),
  };
}

const holds = (watched: Watched, name: string, value: string | undefined) =>
  waitFor(() => watched.reflector.get(`default/${name}`)?.value === (value && JSON.stringify({ value })), {
    what: `${name} to be ${value ?? 'gone'} in the cache`,
  });
const watching = () => waitFor(() => proxy.openWatches > 0, { what: 'an open watch' });

test('what is made, changed and deleted is seen, each change once', async () => {
  await put('a', '1');
  const watched = start();
  await watched.reflector.synced;
  expect(watched.reflector.values()).toEqual([{ name: 'a', value: '{"value":"1"}' }]);
  await watching();
  await put('b', '1');
  await put('a', '2');
  await remove('b');
  await holds(watched, 'b', undefined);
  await holds(watched, 'a', '2');
  expect(watched.keys).toEqual(['a', 'b', 'a', 'b']);
  expect(watched.lists()).toEqual(['start']);
});

test('what this process wrote is no news, and what the watch has told the end of does not come back', async () => {
  const watched = start();
  await watched.reflector.synced;
  await watching();
  proxy.frozen = true;
  const made = await put('a', '1');
  watched.reflector.assume(made);
  expect(watched.reflector.get('default/a')?.value).toBe('{"value":"1"}');
  const elsewhere = { ...made, metadata: { ...made.metadata, name: 'c', labels: {} } };
  watched.reflector.assume(elsewhere);
  expect(watched.reflector.get('default/c')).toBeUndefined();
  proxy.frozen = false;
  proxy.breakWatches('end');
  await put('b', '1');
  await holds(watched, 'b', '1');
  expect(watched.keys).toEqual(['b']);
  await remove('a');
  await holds(watched, 'a', undefined);
  watched.reflector.assume(made);
  expect(watched.reflector.get('default/a')).toBeUndefined();
});

test.for(['end', 'cut'] as const)(
  'after a watch is broken by %s nothing is missed and nothing listed again',
  async (how) => {
    const watched = start();
    await watching();
    await put('a', '1');
    await holds(watched, 'a', '1');
    proxy.intercept = (line) => (line.startsWith('WATCH') ? { status: 503 } : undefined);
    proxy.breakWatches(how);
    await put('a', '2');
    await put('b', '1');
    proxy.intercept = () => undefined;
    await holds(watched, 'a', '2');
    await holds(watched, 'b', '1');
    expect(watched.lists()).toEqual(['start']);
    expect(watched.keys).toEqual(['a', 'a', 'b']);
  },
);

test.for([
  { name: 'a 410 answer', fault: () => ({ status: 410, body: gone }) },
  {
    name: 'a 504 for a version from the future',
    fault: () => ({ status: 504, body: { reason: 'Timeout', code: 504 } }),
  },
])('$name to a watch leads to one list that brings the differences only', async ({ fault }) => {
  await put('same', '1');
  await put('changed', '1');
  await put('deleted', '1');
  const watched = start();
  await watching();
  watched.keys.length = 0;
  let faults = 0;
  proxy.intercept = (line) => (line.startsWith('WATCH') && (faults += 1) === 1 ? fault() : undefined);
  proxy.breakWatches('end');
  await remove('deleted');
  await put('changed', '2');
  await holds(watched, 'deleted', undefined);
  await holds(watched, 'changed', '2');
  expect(watched.lists()).toEqual(['start', 'gone']);
  expect(watched.keys.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['changed', 'deleted']);
});

test('an ERROR event with 410 inside a watch leads to a list', async () => {
  const watched = start();
  await watching();
  proxy.inject(`${JSON.stringify({ type: 'ERROR', object: gone })}\n`);
  await waitFor(() => watched.lists().length === 2, { what: 'a second list' });
  expect(watched.lists()).toEqual(['start', 'gone']);
});

test('a line that is not an event leads to a list', async () => {
  const watched = start();
  await watching();
  proxy.inject('{"type":"MODIFIED","object":{\n');
  await waitFor(() => watched.lists().length === 2, { what: 'a second list' });
  expect(watched.lists()).toEqual(['start', 'unreadable']);
});

test('a later page that has expired is read again in one answer', async () => {
  for (let i = 0; i < 3; i += 1) await put(`page-${i}`, '1');
  let pages = 0;
  // The first page claims that there is more; its continuation has expired.
  proxy.intercept = (line) => {
    if (line.includes('continue=')) return { status: 410, body: gone };
    if (!line.includes('limit=500')) return undefined;
    pages += 1;
    return { status: 200, body: { kind: 'List', metadata: { resourceVersion: '1', continue: 'abc' }, items: [] } };
  };
  const watched = start();
  await watched.reflector.synced;
  expect(watched.reflector.values()).toHaveLength(3);
  expect(pages).toBe(1);
});

test('a silent watch is given up and begun again; three in a row lead to a list', async () => {
  proxy.frozen = true;
  const watched = start({ stallMs: 150 });
  await watching();
  await put('a', '1');
  await waitFor(() => watched.lists().length === 2, { what: 'a list after three silent watches' });
  expect(watched.lists()).toEqual(['start', 'stalled']);
  const ends = watched.events.filter(({ what }) => what === 'watch-end').map(({ cause }) => cause);
  expect(ends.slice(0, 3)).toEqual(['stalled', 'stalled', 'stalled']);
  await holds(watched, 'a', '1');
});

test('a periodic list finds nothing to tell when nothing was missed', async () => {
  await put('a', '1');
  const watched = start({ relistMs: 200 });
  await waitFor(() => watched.lists().length >= 3, { what: 'two periodic lists' });
  expect(watched.lists().slice(0, 3)).toEqual(['start', 'periodic', 'periodic']);
  expect(watched.keys).toEqual(['a']);
});

test('an API server that is restarted is found again without a list', async () => {
  const watched = start();
  await watching();
  await put('a', '1');
  await holds(watched, 'a', '1');
  await api.restart();
  await waitFor(() => put('a', '2'), { what: 'a write after the restart' });
  await holds(watched, 'a', '2');
  expect(watched.lists()).toEqual(['start']);
  expect(watched.reflector.staleMs()).toBeLessThan(30_000);
});

test('an object that cannot be read is left out and does not stop the others', async () => {
  const reflector = createReflector<string>({
    client,
    resource: CONFIG_MAPS,
    labelSelector: 'test=yes',
    keep: ({ metadata }) => {
      if (metadata.name === 'bad') throw new Error('unreadable');
      return metadata.name;
    },
    keysOf: (name) => [name],
    onKey: () => undefined,
    timing: { backoff },
  });
  const stop = new AbortController();
  running = { stop, ended: reflector.run(stop.signal) };
  await reflector.synced;
  await put('bad', '1');
  await put('good', '1');
  await waitFor(() => reflector.get('default/good'), { what: 'the readable one' });
  expect(reflector.values()).toEqual(['good']);
});

test('a client that may not list keeps trying and is not synced', async () => {
  proxy.intercept = () => ({ status: 403, body: { reason: 'Forbidden', message: 'no' } });
  const watched = start();
  await waitFor(() => watched.events.filter(({ cause }) => cause === 'failed').length >= 2, { what: 'two failures' });
  expect(watched.reflector.isSynced).toBe(false);
  proxy.intercept = () => undefined;
  await watched.reflector.synced;
});

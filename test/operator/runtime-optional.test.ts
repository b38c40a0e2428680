import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiDiscovery } from '../../operator/runtime/api-discovery.ts';
import type { KubeClient } from '../../operator/runtime/kube-client.ts';
import { createKubeClient } from '../../operator/runtime/kube-client.ts';
import { objectKey } from '../../operator/runtime/kube-object.ts';
import type { Resource } from '../../operator/runtime/kube-object.ts';
import { createOptionalReflector } from '../../operator/runtime/optional-reflector.ts';
import type { ApiServer } from '../cluster/api-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { takeApiServer } from './support/api-servers.ts';
import { installKind, removeKind } from './support/foreign-kinds.ts';

const GADGETS: Resource = {
  apiVersion: 'things.example.org/v1',
  kind: 'Gadget',
  plural: 'gadgets',
  namespaced: true,
};

let api: ApiServer;
let client: KubeClient;
const stop = new AbortController();
let loops: Promise<void>[] = [];
beforeAll(async () => {
  api = await takeApiServer();
  client = createKubeClient({ kubeconfig: api.kubeconfigPath, userAgent: 'test' });
});
afterAll(async () => {
  stop.abort();
  await Promise.all(loops);
  await client.close();
});

const gadget = (name: string) =>
  client.apply(
    GADGETS,
    { apiVersion: GADGETS.apiVersion, kind: 'Gadget', metadata: { name, namespace: 'default' } },
    'test',
  );

test('a kind that appears is watched, one that goes is forgotten, one that comes back is watched again', async () => {
  const errors: unknown[] = [];
  const announced: string[] = [];
  const timing = { everyMs: 100, leastMs: 20 };
  const discovery = createApiDiscovery({
    client,
    resources: [GADGETS],
    onError: (error) => errors.push(error),
    timing,
  });
  const reflector = createOptionalReflector(
    {
      client,
      resource: GADGETS,
      keep: ({ metadata }) => objectKey(metadata),
      keysOf: (key) => [key],
      onKey: (key) => announced.push(key),
      timing: { backoff: { minMs: 10, maxMs: 100, jitter: 0.2 } },
    },
    discovery,
  );
  loops = [discovery.run(stop.signal), reflector.run(stop.signal)];
  expect(discovery.serves(GADGETS)).toBe(false);
  expect(reflector.values()).toEqual([]);

  await installKind(client, GADGETS);
  await gadget('one');
  await waitFor(() => announced.includes('default/one'), { what: 'the first gadget' });
  expect(reflector.get('default/one')).toBe('default/one');
  announced.length = 0;

  await removeKind(client, GADGETS);
  await waitFor(() => !discovery.serves(GADGETS) && !reflector.isSynced, { what: 'the kind to be gone' });
  expect(reflector.values()).toEqual([]);
  expect(announced).toContain('default/one');

  await installKind(client, GADGETS);
  await gadget('two');
  await waitFor(() => announced.includes('default/two'), { what: 'the second gadget' });
  expect(reflector.values()).toEqual(['default/two']);
  expect(errors).toEqual([]);
});

test('a look that fails leaves the kinds as they were seen last', async () => {
  let isBroken = false;
  const errors: unknown[] = [];
  const discovery = createApiDiscovery({
    client: {
      getRaw: (path) => (isBroken ? Promise.reject(new Error('no answer')) : client.getRaw(path)),
    },
    resources: [GADGETS],
    onError: (error) => errors.push(error),
    timing: { everyMs: 20, leastMs: 5 },
  });
  loops.push(discovery.run(stop.signal));
  await waitFor(() => discovery.serves(GADGETS), { what: 'the kind to be seen' });
  isBroken = true;
  await waitFor(() => errors.length > 2, { what: 'looks that fail' });
  expect(discovery.serves(GADGETS)).toBe(true);
});

import { expect, inject, test } from 'vitest';
import { kubectl } from '../cluster/clients.ts';
import type { ClusterHandle } from '../cluster/cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import { apiOf, PODS } from './support/api.ts';
import { kill, OPERATOR_PODS, readyPods, replaced, replicasOf } from './support/pods.ts';
import { applyUnlimited, getHomeserver, NAME, NAMESPACE, OPERATOR_NAMESPACE, waitReady } from './support/quickstart.ts';
import { newSession } from './support/session.ts';
import { cluster } from './support/setup.ts';
import { Traffic } from './support/traffic.ts';

const quiet = (): void => undefined;
const HOMESERVER_PODS = replicasOf(NAME);
const DATABASE_PODS = 'app=postgres';

async function postgresUid(handle: ClusterHandle): Promise<string> {
  const { items } = await apiOf(handle).list(PODS, { namespace: NAMESPACE, labelSelector: DATABASE_PODS });
  return items.map(({ metadata }) => metadata.uid).join();
}

test('killing a homeserver pod and every operator pod in the middle loses and doubles no message', async () => {
  const handle = await cluster();
  await applyUnlimited(handle);
  const traffic = new Traffic(await newSession(inject('started').url));
  await traffic.start(4);
  await traffic.flow(30);
  const servers = await readyPods(handle, NAMESPACE, HOMESERVER_PODS);
  const operators = await readyPods(handle, OPERATOR_NAMESPACE, OPERATOR_PODS);
  expect([servers.length > 0, operators.length > 0]).toEqual([true, true]);
  for (const pod of servers) await kill(handle, NAMESPACE, pod);
  for (const pod of operators) await kill(handle, OPERATOR_NAMESPACE, pod);
  await replaced(handle, NAMESPACE, HOMESERVER_PODS, servers);
  await replaced(handle, OPERATOR_NAMESPACE, OPERATOR_PODS, operators);
  await traffic.flow(50);
  await waitReady(handle, 180_000, quiet);
  const { lost, doubled } = await traffic.finish();
  expect({ lost, doubled }).toEqual({ lost: [], doubled: [] });
});

test('a restart of PostgreSQL loses and doubles no message and needs no restart of the homeserver', async () => {
  const handle = await cluster();
  await applyUnlimited(handle);
  const traffic = new Traffic(await newSession(inject('started').url));
  await traffic.start(4);
  await traffic.flow(30);
  const servers = await readyPods(handle, NAMESPACE, HOMESERVER_PODS);
  const database = await readyPods(handle, NAMESPACE, DATABASE_PODS);
  const uid = await postgresUid(handle);
  await kubectl(handle, ['delete', 'pod', '--namespace', NAMESPACE, '-l', DATABASE_PODS, '--timeout=120s']);
  await waitFor(async () => ![uid, ''].includes(await postgresUid(handle)), {
    what: 'another PostgreSQL pod',
    timeoutMs: 60_000,
  });
  await waitFor(async () => (await readyPods(handle, NAMESPACE, DATABASE_PODS)).join() === database.join(), {
    what: 'PostgreSQL to be Ready again',
    timeoutMs: 120_000,
  });
  await traffic.flow(50);
  await waitReady(handle, 180_000, quiet);
  const { lost, doubled } = await traffic.finish();
  expect({ lost, doubled }).toEqual({ lost: [], doubled: [] });
  expect(await readyPods(handle, NAMESPACE, HOMESERVER_PODS)).toEqual(servers);
  expect((await getHomeserver(handle)).status.readyReplicas).toBe(servers.length);
});

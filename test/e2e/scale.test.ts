import { expect, inject, test } from 'vitest';
import { kubectl } from '../cluster/clients.ts';
import type { ClusterHandle } from '../cluster/cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import { applyUnlimited, getHomeserver, NAME, NAMESPACE, waitReady } from './support/quickstart.ts';
import { newSession } from './support/session.ts';
import { cluster } from './support/setup.ts';
import { Traffic } from './support/traffic.ts';

const quiet = (): void => undefined;

async function scale(handle: ClusterHandle, replicas: number): Promise<void> {
  await kubectl(handle, ['scale', 'matrixhomeserver', NAME, '--namespace', NAMESPACE, `--replicas=${replicas}`]);
  await waitFor(async () => (await getHomeserver(handle)).status.readyReplicas === replicas, {
    what: `${replicas} ready replicas`,
    timeoutMs: 120_000,
  });
  await waitReady(handle, 120_000, quiet);
}

test('scaling to two replicas and back loses and doubles no message and fails no request', async () => {
  const handle = await cluster();
  await applyUnlimited(handle);
  const traffic = new Traffic(await newSession(inject('started').url));
  await traffic.start(4);
  await traffic.flow(50);
  await scale(handle, 2);
  await traffic.flow(100);
  await scale(handle, 1);
  await traffic.flow(50);
  const { lost, doubled, sent } = await traffic.finish();
  expect({ lost, doubled, failures: traffic.failures }).toEqual({ lost: [], doubled: [], failures: [] });
  expect(sent).toBeGreaterThanOrEqual(200);
});

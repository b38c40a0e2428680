import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Metrics } from '../../operator/metrics.ts';
import { readSecret } from '../../operator/reconcile/secret-data.ts';
import type { Stage } from './support/stage.ts';
import { applyHomeserver, listChildren, openStage, waitReady } from './support/stage.ts';

const Counts = z.object({
  values: z.array(z.object({ labels: z.record(z.string(), z.union([z.string(), z.number()])), value: z.number() })),
});

/** Creations that came second. */
async function refusedCreates(metrics: Metrics): Promise<number> {
  const { values } = Counts.parse(await metrics.apiRequests.get());
  return values.filter(({ labels }) => labels['verb'] === 'create' && labels['code'] === '409').length;
}

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.dispose());

test('two operators at work at once make one database, one key and one migration for each resource', async () => {
  const namespaces = await Promise.all([1, 2, 3, 4, 5, 6].map(() => stage.namespace()));
  await Promise.all(namespaces.map((namespace) => applyHomeserver(stage, namespace)));
  // Both find all resources in their first list, so they go through the steps side by side.
  const operators = await Promise.all([stage.startOperator(), stage.startOperator()]);
  for (const namespace of namespaces) {
    const { status } = await waitReady(stage, namespace);
    const name = status.database?.name ?? '';
    const claims = await stage.sql('select distinct claim from matrix_operator.owner', [], name);
    expect(claims).toEqual([{ claim: status.database?.claim }]);
    const secret = await readSecret(stage.client, { namespace, name: 'chat-db' });
    expect(secret?.values['claim']).toBe(status.database?.claim);
    expect(await stage.sql('select name from matrix_operator.signing_key', [], name)).toEqual([{ name: 'k1' }]);
    const jobs = [...(await listChildren(stage, namespace)).keys()].filter((key) => key.startsWith('Job/'));
    expect(jobs).toHaveLength(1);
  }
  expect(stage.actors.jobsRun).toHaveLength(namespaces.length);
  await Promise.all(namespaces.map((namespace) => applyHomeserver(stage, namespace, { replicas: 2 })));
  for (const namespace of namespaces) expect((await waitReady(stage, namespace)).status.readyReplicas).toBe(2);
  // Without collisions the test would have shown nothing.
  const [one = 0, two = 0] = await Promise.all(operators.map(({ metrics }) => refusedCreates(metrics)));
  expect(one + two).toBeGreaterThan(0);
});

test('of two operators with leader election one works; when it stops the other goes on at once', async () => {
  await stage.dispose();
  stage = await openStage();
  const first = await stage.startOperator({ leaderElection: true });
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  const second = await stage.startOperator({ leaderElection: true });
  expect(second.lines.join('')).not.toContain('this process leads');
  expect(await first.stop()).toBe('stopped');
  await applyHomeserver(stage, namespace, { replicas: 3 });
  expect((await waitReady(stage, namespace)).status.readyReplicas).toBe(3);
  expect(second.lines.join('')).toContain('this process leads');
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endState } from './support/compare.ts';
import { liveUntil } from './support/killed-operator.ts';
import type { Proxy } from './support/killing-proxy.ts';
import { startProxy } from './support/killing-proxy.ts';
import type { Stage } from './support/stage.ts';
import { OWN_RELEASE } from './support/test-programs.ts';
import { applyHomeserver, conditionOf, openStage, readHomeserver, waitReady } from './support/stage.ts';

const MAX_LIVES = 60;
const TURN = { host: 'turn.example.org', externalIP: '203.0.113.7', relayPorts: { min: 20_000, max: 20_001 } };
const SPEC = { replicas: 2, integrations: { turn: { managed: TURN } } };

let stage: Stage;
let folder: string;
let proxy: Proxy;
beforeAll(async () => {
  stage = await openStage();
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-killed-'));
  proxy = await startProxy(stage.api, folder);
});
afterAll(async () => {
  await proxy.close();
  await stage.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function isReady(namespace: string): Promise<boolean> {
  const view = await readHomeserver(stage, namespace);
  return view.status.observedGeneration === view.metadata.generation && conditionOf(view, 'Ready')?.status === 'True';
}

test('killed after every single write it makes, the operator still arrives at the same end', {
  timeout: 240_000,
}, async () => {
  const [whole, killed] = [await stage.namespace(), await stage.namespace()];
  const operator = await stage.startOperator(OWN_RELEASE);
  await applyHomeserver(stage, whole, SPEC);
  await waitReady(stage, whole);
  const expected = await endState(stage, whole);
  await operator.stop();

  await applyHomeserver(stage, killed, SPEC);
  const writes = await liveUntil({ namespace: killed, proxy, folder }, () => isReady(killed), MAX_LIVES);
  expect(writes.length).toBeGreaterThan(10);
  expect(await endState(stage, killed)).toBe(expected);
  const { status } = await readHomeserver(stage, killed);
  const name = status.database?.name ?? '';
  expect(await stage.sql('select name, state from matrix_operator.signing_key', [], name)).toHaveLength(1);
  expect(await stage.sql('select claim from matrix_operator.owner', [], name)).toEqual([
    { claim: status.database?.claim },
  ]);
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { COMPAT_LEVEL, SCHEMA_LEVEL } from '../../homeserver/contract/schema-version.ts';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { backupStore, writeBackupSecrets } from './support/backups.ts';
import { endState } from './support/compare.ts';
import { liveUntil } from './support/killed-operator.ts';
import type { Proxy } from './support/killing-proxy.ts';
import { startProxy } from './support/killing-proxy.ts';
import type { Stage } from './support/stage.ts';
import { applyHomeserver, conditionOf, openStage, readHomeserver } from './support/stage.ts';
import { upgradeEvents } from './support/upgrade-events.ts';
import { TEST_CATALOGUE } from './support/test-programs.ts';

const SETTINGS = { MATRIX_OPERATOR_GOOD_SECONDS: '1', MATRIX_OPERATOR_MIN_READY_SECONDS: '1' };
const MAX_LIVES = 60;

let stage: Stage;
let s3: S3Server;
let folder: string;
let proxy: Proxy;
beforeAll(async () => {
  s3 = await startS3Server();
  stage = await openStage();
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-upgrade-'));
  proxy = await startProxy(stage.api, folder);
});
afterAll(async () => {
  await proxy.close();
  await stage.dispose();
  await s3.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A namespace with what a backup needs. */
async function namespaceWithBackups(): Promise<string> {
  const namespace = await stage.namespace();
  await writeBackupSecrets(stage, s3, namespace);
  return namespace;
}

async function want(namespace: string, { spec }: Wanted): Promise<void> {
  const { s3: location } = backupStore(s3);
  await applyHomeserver(stage, namespace, { ...spec, backup: { schedule: '@yearly', s3: location } });
}

/** What is wanted one after the other, and what the database is then open to. */
const STAGES = [
  { spec: { version: '0.1.0' }, phase: undefined, schema: [SCHEMA_LEVEL, COMPAT_LEVEL] },
  { spec: { version: '0.2.0' }, phase: 'Soaking', schema: [SCHEMA_LEVEL + 1, COMPAT_LEVEL] },
  { spec: { version: '0.1.0' }, phase: undefined, schema: [SCHEMA_LEVEL + 1, COMPAT_LEVEL] },
  {
    spec: { version: '0.2.0', upgrade: { contractAfterSeconds: 0 } },
    phase: undefined,
    schema: [SCHEMA_LEVEL + 1, SCHEMA_LEVEL + 1],
  },
] as const;
type Wanted = (typeof STAGES)[number];

async function isThere(namespace: string, wanted: Wanted): Promise<boolean> {
  const view = await readHomeserver(stage, namespace);
  const { status, metadata } = view;
  const ready = conditionOf(view, 'Ready')?.status === 'True';
  const isCurrent = status.observedGeneration === metadata.generation;
  const schema = [status.schema?.version, status.schema?.compatVersion];
  const isReached = status.upgrade?.last?.to === wanted.spec.version && status.upgrade.phase === wanted.phase;
  const isAtRest = ready && isCurrent && isReached && schema.join() === wanted.schema.join();
  return isAtRest && !(await isPausing(namespace));
}

const Rollout = z.looseObject({ spec: z.looseObject({ minReadySeconds: z.int().default(0) }) });

/** Whether the Deployment still has the pause of an upgrade: the run after the one that ends it takes that away. */
async function isPausing(namespace: string): Promise<boolean> {
  const found = await stage.client.get(KINDS.deployment, { namespace, name: 'chat' });
  return found === undefined || Rollout.parse(found).spec.minReadySeconds > 0;
}

/** Kinds of the Jobs that the stand-ins ran, in order. */
function kinds(from: number): string[] {
  return stage.actors.jobsRun.slice(from).map((name) => name.replace(/^chat-(\w+)-.*$/, '$1'));
}

/**
 * The end of a stage, undefined while it is not reached. What is compared must be one moment at rest: the write that ends
 * the pause of an upgrade may come between two looks, and makes the Deployment roll once more.
 */
async function restingState(namespace: string, wanted: Wanted): Promise<string | undefined> {
  if (!(await isThere(namespace, wanted))) return undefined;
  const state = await endState(stage, namespace);
  const isResting = state.includes('"Reconciling=False Settled"') && (await isThere(namespace, wanted));
  return isResting ? state : undefined;
}

async function undisturbed(namespace: string): Promise<string[]> {
  const operator = await stage.startOperator({ catalogue: TEST_CATALOGUE, watchNamespaces: [namespace] });
  const states: string[] = [];
  for (const wanted of STAGES) {
    await want(namespace, wanted);
    const what = JSON.stringify(wanted);
    states.push(await waitFor(() => restingState(namespace, wanted), { what }));
  }
  await operator.stop();
  return states;
}

test('killed after every single write of install, backup, upgrade, rollback and contract, the operator arrives at the same ends', {
  timeout: 500_000,
}, async () => {
  const calm = await namespaceWithBackups();
  const expected = await undisturbed(calm);
  const expectedJobs = kinds(0);
  const namespace = await namespaceWithBackups();
  const from = stage.actors.jobsRun.length;
  const operator = { namespace, proxy, folder, diesOfRows: true, settings: SETTINGS };
  const writes: string[] = [];
  for (const [i, wanted] of STAGES.entries()) {
    await want(namespace, wanted);
    writes.push(...(await liveUntil(operator, () => isThere(namespace, wanted), MAX_LIVES)));
    expect(await endState(stage, namespace)).toBe(expected[i]);
  }
  expect(writes.filter((write) => /jobs/.test(write)).length).toBeGreaterThanOrEqual(6);
  expect(writes.filter((write) => write.startsWith('wrote')).length).toBeGreaterThanOrEqual(12);
  // Nothing ran twice: not a Job, not a migration, and each plan was accepted once.
  expect(kinds(from)).toEqual(expectedJobs);
  // Nor was anything told twice, or not at all.
  const reasons = async (where: string) =>
    (await upgradeEvents(stage, where)).map((event) => /^\w+ \w+/.exec(event)?.[0]);
  expect(await reasons(namespace)).toEqual(await reasons(calm));
  expect(await reasons(calm)).toHaveLength(7);
  const { status } = await readHomeserver(stage, namespace);
  const applied = await stage.sql('select count(*)::int as n from ops.migrations', [], status.database?.name);
  expect(applied).toEqual([{ n: TEST_CATALOGUE.versions['0.2.0']?.migrations.length }]);
  const backups = await stage.sql('select upgrade_plan from ops.backup', [], status.database?.name);
  expect(new Set(backups.map(({ upgrade_plan: plan }) => plan)).size).toBe(2);
  expect(backups).toHaveLength(2);
});

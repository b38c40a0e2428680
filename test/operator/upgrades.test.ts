import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMPAT_LEVEL, SCHEMA_LEVEL } from '../../homeserver/contract/schema-version.ts';
import type { MatrixHomeserver } from '../../operator/api/matrix-homeserver.ts';
import type { UpgradePhase } from '../../operator/api/upgrade-status.ts';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { waitFor } from '../support/wait-for.ts';
import type { RunningOperator, Stage } from './support/stage.ts';
import { upgradeEvents } from './support/upgrade-events.ts';
import {
  applyHomeserver,
  conditionOf,
  listChildren,
  openStage,
  readHomeserver,
  sorted,
  waitCondition,
  waitReady,
} from './support/stage.ts';
import { TEST_CATALOGUE } from './support/test-programs.ts';

let stage: Stage;
let operator: RunningOperator;
beforeAll(async () => {
  stage = await openStage();
  operator = await stage.startOperator({ catalogue: TEST_CATALOGUE });
});
afterAll(() => stage.dispose());

/** A namespace in which `version` serves. */
async function serving(version: string, spec: object = {}): Promise<string> {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { version, ...spec });
  await reached(namespace, version);
  return namespace;
}

/** Waits until the version serves and counts as reached. */
async function reached(namespace: string, version: string): Promise<MatrixHomeserver> {
  return waitFor(
    async () => {
      const view = await waitReady(stage, namespace);
      return view.status.version?.current === version && view.status.upgrade?.last?.to === version ? view : undefined;
    },
    { what: `${version} to be reached in ${namespace}` },
  );
}

async function waitPhase(namespace: string, phase: UpgradePhase | undefined): Promise<MatrixHomeserver> {
  return waitFor(
    async () => {
      const view = await readHomeserver(stage, namespace);
      const isCurrent = view.status.observedGeneration === view.metadata.generation;
      return isCurrent && view.status.upgrade?.phase === phase ? view : undefined;
    },
    { what: `the phase ${phase}` },
  );
}

async function stalled(namespace: string, reason: string): Promise<MatrixHomeserver> {
  return waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason });
}

/** Image and ready replicas of the Deployment. */
async function deployed(namespace: string): Promise<string> {
  const found = await stage.client.get(KINDS.deployment, { namespace, name: 'chat' });
  return /"image":"([^"]*)"/.exec(JSON.stringify(found))?.[1] ?? '';
}

async function schemaOf(namespace: string): Promise<unknown> {
  const { status } = await readHomeserver(stage, namespace);
  const [row] = await stage.sql(
    'select schema_version, compat_version from ops.schema_state',
    [],
    status.database?.name,
  );
  return row;
}

/** Kinds of the Jobs that ran in a namespace since `from`, in order. */
async function jobsOf(namespace: string): Promise<string[]> {
  const names = [...(await listChildren(stage, namespace)).keys()].filter((key) => key.startsWith('Job/'));
  return sorted(names.map((name) => name.replace(/^Job\/chat-(\w+)-.*$/, '$1')));
}

test('a newer version is looked at, expanded, rolled and verified, then soaks while Ready and can go back without SQL', async () => {
  const namespace = await serving('0.1.0');
  expect(conditionOf(await readHomeserver(stage, namespace), 'RollbackPossible')?.reason).toBe('NoOlderVersion');
  await applyHomeserver(stage, namespace, { version: '0.2.0' });
  const { status } = await reached(namespace, '0.2.0');
  expect(status.upgrade).toMatchObject({
    phase: 'Soaking',
    plan: { kind: 'Upgrade', from: '0.1.0', to: '0.2.0', rollbackTo: ['0.1.1', '0.1.0'], backup: 'NotConfigured' },
    last: { to: '0.2.0', result: 'Upgraded' },
  });
  expect(Date.parse(status.upgrade?.contractAt ?? '')).toBeGreaterThan(Date.now() + 86_000_000);
  expect(status.schema).toEqual({ version: SCHEMA_LEVEL + 1, compatVersion: COMPAT_LEVEL });
  const view = await readHomeserver(stage, namespace);
  expect(conditionOf(view, 'RollbackPossible')).toMatchObject({ status: 'True', reason: 'WindowOpen' });
  expect(await jobsOf(namespace)).toEqual(['migrate', 'migrate', 'preflight', 'verify']);

  await applyHomeserver(stage, namespace, { version: '0.1.0' });
  const back = await reached(namespace, '0.1.0');
  expect(back.status.upgrade?.last).toMatchObject({ to: '0.1.0', result: 'RolledBack' });
  expect(await schemaOf(namespace)).toEqual({ schema_version: 2, compat_version: 1 });
  expect(await jobsOf(namespace)).toEqual(['migrate', 'migrate', 'preflight', 'preflight', 'verify']);
  expect(await deployed(namespace)).toBe('localhost/matrix-operator:test');

  // A second time between the same two: what was done for the first counts for nothing.
  for (const version of ['0.2.0', '0.1.0']) {
    await applyHomeserver(stage, namespace, { version });
    await reached(namespace, version);
  }
  const preflights = Array.from({ length: 4 }, () => 'preflight');
  expect(await jobsOf(namespace)).toEqual(['migrate', 'migrate', ...preflights, 'verify', 'verify']);
});

test('after the soak the database is closed to older versions; going back is then refused before any write', async () => {
  const namespace = await serving('0.1.0');
  await applyHomeserver(stage, namespace, { version: '0.2.0', upgrade: { contractAfterSeconds: 0 } });
  await reached(namespace, '0.2.0');
  const done = await waitPhase(namespace, undefined);
  expect(done.status.schema).toEqual({ version: SCHEMA_LEVEL + 1, compatVersion: SCHEMA_LEVEL + 1 });
  expect(conditionOf(done, 'RollbackPossible')).toMatchObject({ status: 'False', reason: 'Contracted' });
  const versions = async () =>
    sorted(
      [...(await listChildren(stage, namespace))].map(([key, { metadata }]) => `${key} ${metadata.resourceVersion}`),
    );
  const before = await versions();
  await applyHomeserver(stage, namespace, { version: '0.1.0' });
  const refused = await stalled(namespace, 'RollbackUnsafe');
  expect(refused.status.upgrade).toMatchObject({ phase: 'Refused', plan: { refusal: { reason: 'RollbackUnsafe' } } });
  expect(conditionOf(refused, 'Ready')?.message).toContain('the oldest version that fits is 0.2.0');
  expect(conditionOf(refused, 'Available')?.status).toBe('True');
  expect(await versions()).toEqual(before);
  const told = await upgradeEvents(stage, namespace);
  expect(told.map((event) => event.split(':')[0])).toEqual([
    'Normal UpgradeContracted',
    'Normal UpgradePlanned',
    'Normal UpgradeRolled',
    'Warning RollbackRefused',
  ]);
  await applyHomeserver(stage, namespace, { version: '0.2.0', upgrade: { contractAfterSeconds: 0 } });
  await reached(namespace, '0.2.0');
});

test('with approval Required nothing is done until the id of this very plan is approved', async () => {
  const approval = (approvedPlan?: string) => ({ approval: 'Required', ...(approvedPlan ? { approvedPlan } : {}) });
  const namespace = await serving('0.1.0', { upgrade: approval() });
  await applyHomeserver(stage, namespace, { version: '0.2.0', upgrade: approval('0123456789ab') });
  const waits = await waitPhase(namespace, 'AwaitingApproval');
  const id = waits.status.upgrade?.plan?.id ?? '';
  expect(conditionOf(waits, 'Ready')).toMatchObject({ status: 'False', reason: 'AwaitingApproval' });
  expect(conditionOf(waits, 'Ready')?.message).toContain(id);
  expect(await jobsOf(namespace)).toEqual(['migrate']);
  expect(await upgradeEvents(stage, namespace)).toEqual([
    expect.stringContaining(`Normal AwaitingApproval: Upgrade from 0.1.0 to 0.2.0 (plan ${id}) waits for approval`),
  ]);
  await applyHomeserver(stage, namespace, { version: '0.2.0', upgrade: approval(id) });
  expect((await reached(namespace, '0.2.0')).status.upgrade?.plan?.id).toBe(id);
});

test('a migration that fails stops there, the old version serves on, and the spec before it recovers', async () => {
  const namespace = await serving('0.1.0');
  stage.actors.behaviour.failJobsWith = 1;
  try {
    await applyHomeserver(stage, namespace, { version: '0.2.0' });
    const view = await stalled(namespace, 'MigrationFailed');
    expect(view.status.upgrade?.phase).toBe('Failed');
    expect(conditionOf(view, 'Available')?.status).toBe('True');
    expect(await deployed(namespace)).toBe('localhost/matrix-operator:test');
  } finally {
    stage.actors.behaviour.failJobsWith = undefined;
  }
  await applyHomeserver(stage, namespace, { version: '0.1.0' });
  expect((await reached(namespace, '0.1.0')).status.upgrade?.last?.result).toBe('RolledBack');
});

test('an expand under way is stopped when the spec goes back', async () => {
  const namespace = await serving('0.1.0');
  stage.actors.behaviour.hangJobsOf = 'migrate';
  try {
    await applyHomeserver(stage, namespace, { version: '0.2.0' });
    await waitPhase(namespace, 'Expanding');
    await applyHomeserver(stage, namespace, { version: '0.1.0' });
    await reached(namespace, '0.1.0');
    expect(await jobsOf(namespace)).toEqual(['migrate', 'preflight', 'preflight']);
  } finally {
    stage.actors.behaviour.hangJobsOf = undefined;
  }
});

test('an image that is not what the catalogue says is found before anything is written', async () => {
  const namespace = await serving('0.1.0');
  const image = { repository: 'localhost/private', digest: `sha256:${'1'.repeat(64)}` };
  await applyHomeserver(stage, namespace, { version: '0.2.0', image });
  const view = await stalled(namespace, 'VersionUnknown');
  expect(conditionOf(view, 'Ready')?.message).toContain(
    'spec.image.digest names an image that is not the version that the catalogue describes. Give the digest of that ' +
      'version, or take spec.image.digest out',
  );
  const rows = await stage.sql(
    "select plan ->> 'to' as to from matrix_operator.upgrade",
    [],
    view.status.database?.name,
  );
  expect(rows).toEqual([{ to: '0.1.0' }]);
  await applyHomeserver(stage, namespace, { version: '0.2.0' });
  await reached(namespace, '0.2.0');
});

test('new pods that never get ready stop the rollout; nothing goes back by itself, and another spec recovers', async () => {
  const namespace = await serving('0.1.0');
  stage.actors.behaviour.failRollouts = true;
  try {
    await applyHomeserver(stage, namespace, { version: '0.2.0' });
    const view = await stalled(namespace, 'RolloutFailed');
    expect(view.status.upgrade?.phase).toBe('Failed');
    expect(await deployed(namespace)).toBe('localhost/matrix-operator:0.2.0');
    await applyHomeserver(stage, namespace, { version: '0.1.0' });
    await waitFor(async () => (await deployed(namespace)) === 'localhost/matrix-operator:test', {
      what: 'the way back',
    });
  } finally {
    stage.actors.behaviour.failRollouts = false;
  }
  await reached(namespace, '0.1.0');
});

test('a new version that does not find the database whole is not reached and keeps the way back open', async () => {
  const namespace = await serving('0.1.0');
  const { behaviour } = stage.actors;
  Object.assign(behaviour, { failJobsOf: 'verify', failJobsWith: 1 });
  try {
    await applyHomeserver(stage, namespace, { version: '0.2.0', upgrade: { contractAfterSeconds: 0 } });
    const view = await stalled(namespace, 'VerifyFailed');
    expect(view.status.upgrade).toMatchObject({ phase: 'Failed', plan: { to: '0.2.0' } });
    expect(view.status.upgrade?.last).toBeUndefined();
    expect(conditionOf(view, 'Ready')?.message).toContain('something in the database is not as it should be');
    expect(conditionOf(view, 'Available')?.status).toBe('True');
    expect(await schemaOf(namespace)).toEqual({ schema_version: 2, compat_version: 1 });
    expect(await upgradeEvents(stage, namespace)).toEqual([
      expect.stringContaining('Normal UpgradePlanned: '),
      expect.stringMatching(
        /^Warning UpgradeFailed: Upgrade .* stopped: VerifyFailed: Job .* failed: something in the/,
      ),
    ]);
    await applyHomeserver(stage, namespace, { version: '0.1.0' });
    expect((await reached(namespace, '0.1.0')).status.upgrade?.last?.result).toBe('RolledBack');
    expect(await jobsOf(namespace)).toEqual(['migrate', 'migrate', 'preflight', 'preflight', 'verify']);
  } finally {
    Object.assign(behaviour, { failJobsOf: 'migrate', failJobsWith: undefined });
  }
});

test('a step that leaves one out is refused and names it', async () => {
  const namespace = await serving('0.1.0');
  await applyHomeserver(stage, namespace, { version: '0.3.0' });
  const view = await stalled(namespace, 'UpgradePathUnsupported');
  expect(conditionOf(view, 'Ready')?.message).toContain('set spec.version to 0.2.0 first');
  expect(await jobsOf(namespace)).toEqual(['migrate']);
});

test('the same version by another digest is looked at and rolled, without SQL and without a soak', async () => {
  const namespace = await serving('0.1.0');
  const digest = `sha256:${'2'.repeat(64)}`;
  await applyHomeserver(stage, namespace, { version: '0.1.0', image: { digest } });
  await waitFor(async () => (await deployed(namespace)) === `localhost/matrix-operator@${digest}`, {
    what: 'the digest',
  });
  const view = await waitPhase(namespace, undefined);
  await waitReady(stage, namespace);
  expect(view.status.upgrade?.last).toMatchObject({ to: '0.1.0', result: 'Upgraded' });
  expect(await jobsOf(namespace)).toEqual(['migrate', 'preflight', 'verify']);
});

test('taking the version out of the spec keeps the one that served last', async () => {
  const namespace = await serving('0.2.0');
  await applyHomeserver(stage, namespace, {});
  const view = await waitReady(stage, namespace);
  expect(view.status.version).toMatchObject({ current: '0.2.0', target: '0.2.0', available: '0.3.0' });
  expect(conditionOf(view, 'UpgradeAvailable')).toMatchObject({ status: 'True', reason: 'NewerInCatalogue' });
});

async function wipeStatus(namespace: string): Promise<true> {
  const { resourceVersion } = (await readHomeserver(stage, namespace)).metadata;
  const status = { observedGeneration: -1, conditions: [] };
  const patch = { namespace, name: 'chat', resourceVersion, status };
  await stage.client.applyStatus(KINDS.homeserver, patch, 'matrix-operator-status');
  return true;
}

test('a wiped status comes back with the same plan, times included', async () => {
  const namespace = await serving('0.1.0');
  await applyHomeserver(stage, namespace, { version: '0.2.0' });
  await reached(namespace, '0.2.0');
  const before = await waitPhase(namespace, 'Soaking');
  // The operator may write in between: then it is read and wiped again.
  await waitFor(() => wipeStatus(namespace), { what: 'the status to be wiped' });
  const after = await waitPhase(namespace, 'Soaking');
  expect(after.status.upgrade).toEqual(before.status.upgrade);
  expect(after.status.version).toEqual(before.status.version);
});

test('what a newer operator has worked on is left alone', async () => {
  const namespace = await serving('0.1.0');
  const view = await readHomeserver(stage, namespace);
  const patch = { namespace, name: 'chat', resourceVersion: view.metadata.resourceVersion };
  const status = { ...view.status, operatorVersion: '0.2.7' };
  await stage.client.applyStatus(KINDS.homeserver, { ...patch, status }, 'matrix-operator-status');
  await applyHomeserver(stage, namespace, { version: '0.2.0' });
  const stopped = await stalled(namespace, 'OperatorTooOld');
  expect(stopped.status.operatorVersion).toBe('0.2.7');
  expect(await jobsOf(namespace)).toEqual(['migrate']);
});

test('a newer default is taken by itself only with approval Automatic, and only as many at a time as allowed', async () => {
  await operator.stop();
  const manual = await stage.namespace();
  const automatic = [await stage.namespace(), await stage.namespace()];
  const watchNamespaces = [manual, ...automatic];
  const first = await stage.startOperator({ catalogue: TEST_CATALOGUE, watchNamespaces });
  await applyHomeserver(stage, manual);
  for (const namespace of automatic) await applyHomeserver(stage, namespace, { upgrade: { approval: 'Automatic' } });
  for (const namespace of watchNamespaces) await waitReady(stage, namespace);
  await first.stop();
  stage.actors.behaviour.hangJobsOf = 'migrate';
  const catalogue = { ...TEST_CATALOGUE, default: '0.2.0' };
  const homeserverImage = 'localhost/matrix-operator:0.2.0';
  await stage.startOperator({ catalogue, homeserverImage, maxConcurrentUpgrades: 1, watchNamespaces });
  const phases = async () => {
    const views = await Promise.all(automatic.map((namespace) => readHomeserver(stage, namespace)));
    return sorted(views.map(({ status }) => status.upgrade?.phase ?? '')).join();
  };
  await waitFor(async () => (await phases()) === 'Expanding,Planned', { what: 'one to work and one to wait' });
  for (const namespace of automatic) {
    expect(conditionOf(await readHomeserver(stage, namespace), 'Available')?.status).toBe('True');
  }
  stage.actors.behaviour.hangJobsOf = undefined;
  await waitFor(async () => (await phases()) === 'Soaking,Soaking', { what: 'both to arrive' });
  const view = await waitReady(stage, manual);
  expect(view.status.version).toMatchObject({ current: '0.1.0', target: '0.1.0', available: '0.3.0' });
});

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMPAT_LEVEL, SCHEMA_LEVEL } from '../../homeserver/contract/schema-version.ts';
import type { MatrixHomeserver } from '../../operator/api/matrix-homeserver.ts';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { backupStore, writeBackupSecrets } from './support/backups.ts';
import type { Stage } from './support/stage.ts';
import { applyHomeserver, conditionOf, openStage, readHomeserver, waitCondition, waitReady } from './support/stage.ts';
import { TEST_CATALOGUE } from './support/test-programs.ts';

let stage: Stage;
let s3: S3Server;
beforeAll(async () => {
  s3 = await startS3Server();
  stage = await openStage();
  await stage.startOperator({ catalogue: TEST_CATALOGUE });
}, 1_800_000);
afterAll(async () => {
  await stage.dispose();
  await s3.stop();
});

/** Wants `version` with backups; `more` goes into spec.backup. */
async function want(
  namespace: string,
  version: string,
  more: { backup?: object; upgrade?: object } = {},
): Promise<void> {
  const backup = { schedule: '@yearly', ...backupStore(s3) };
  await applyHomeserver(stage, namespace, { version, ...more, backup: { ...backup, ...more.backup } });
}

async function reached(namespace: string, version: string): Promise<MatrixHomeserver> {
  return waitFor(
    async () => {
      const view = await waitReady(stage, namespace);
      return view.status.upgrade?.last?.to === version && view.status.version?.current === version ? view : undefined;
    },
    { what: `${version} to be reached` },
  );
}

/** A namespace in which 0.1.0 serves. */
async function serving(more: { backup?: object } = {}): Promise<string> {
  const namespace = await stage.namespace();
  await writeBackupSecrets(stage, s3, namespace);
  await want(namespace, '0.1.0', more);
  await reached(namespace, '0.1.0');
  return namespace;
}

const backupsOf = (view: MatrixHomeserver) =>
  stage.sql(
    'select backup_id, place, upgrade_plan, schema_version from ops.backup order by stored_at',
    [],
    view.status.database?.name,
  );
const kinds = (from: number) => stage.actors.jobsRun.slice(from).map((name) => name.replace(/^chat-(\w+)-.*$/, '$1'));

test('an upgrade waits for a backup of its own, each time anew, and names it when there is no other way back', async () => {
  const namespace = await serving();
  const from = stage.actors.jobsRun.length;
  await want(namespace, '0.2.0');
  const upgraded = await reached(namespace, '0.2.0');
  expect(kinds(from)).toEqual(['preflight', 'backup', 'migrate', 'verify']);
  const [first] = await backupsOf(upgraded);
  expect(first).toMatchObject({ place: `s3://${s3.bucket}/`, schema_version: 1 });
  expect(upgraded.status.backup).toMatchObject({ latestID: first?.['backup_id'] });
  expect(conditionOf(upgraded, 'BackupReady')).toMatchObject({ status: 'True' });
  const manifests = join(s3.folder, `${namespace}.example`, 'manifest');
  expect(await readdir(manifests)).toEqual([`${String(first?.['backup_id'])}.json`]);

  // Back and forth twice: each plan has an id, and its Job a name, of its own.
  for (const made of [2, 3]) {
    await want(namespace, '0.1.0');
    await reached(namespace, '0.1.0');
    await want(namespace, '0.2.0');
    await reached(namespace, '0.2.0');
    expect(await backupsOf(upgraded)).toHaveLength(made);
  }
  const rows = await backupsOf(upgraded);
  expect(new Set(rows.map((row) => row['upgrade_plan'])).size).toBe(3);
  expect(kinds(from).filter((kind) => kind === 'backup')).toHaveLength(3);

  await want(namespace, '0.2.0', { upgrade: { contractAfterSeconds: 0 } });
  await waitFor(async () => (await readHomeserver(stage, namespace)).status.schema?.compatVersion === 2, {
    what: 'the contract',
  });
  await want(namespace, '0.1.0');
  const refused = await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'RollbackUnsafe' });
  // What was made after the expand holds the schema of the newer version.
  expect(conditionOf(refused, 'Ready')?.message).toContain(
    `restore backup ${String(first?.['backup_id'])} (s3://${s3.bucket}/, `,
  );
});

test('a backup that fails stops the upgrade before anything is changed, and says why', async () => {
  const namespace = await serving();
  await writeBackupSecrets(stage, s3, namespace, { secretAccessKey: 'not the secret of this server' });
  await want(namespace, '0.2.0');
  const view = await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'BackupFailed' });
  const { phase, plan } = view.status.upgrade ?? {};
  expect(phase).toBe('Failed');
  expect(conditionOf(view, 'Available')?.status).toBe('True');
  expect(conditionOf(view, 'Ready')?.message).toContain('the store refused it');
  expect(conditionOf(view, 'BackupReady')).toMatchObject({ status: 'False', reason: 'BackupFailed' });
  expect(view.status.backup?.lastFailureTime).toMatch(/^20/);
  expect(view.status.schema).toEqual({ version: SCHEMA_LEVEL, compatVersion: COMPAT_LEVEL });
  const deployment = await stage.client.get(KINDS.deployment, { namespace, name: 'chat' });
  expect(JSON.stringify(deployment)).toContain('localhost/matrix-operator:test');
  await writeBackupSecrets(stage, s3, namespace);
  await stage.client.delete(KINDS.job, { namespace, name: `chat-backup-${plan?.id}` });
  await reached(namespace, '0.2.0');
});

test('a Secret that is missing is told; Disabled upgrades without a backup', async () => {
  const namespace = await serving();
  await stage.client.delete(KINDS.secret, { namespace, name: 'backup-key' });
  const from = stage.actors.jobsRun.length;
  await want(namespace, '0.2.0');
  const view = await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'SecretMissing' });
  expect(conditionOf(view, 'Ready')?.message).toContain('backup-key');
  expect(view.status.upgrade?.phase).toBe('BackingUp');
  await want(namespace, '0.2.0', { backup: { preUpgrade: 'Disabled' } });
  const upgraded = await reached(namespace, '0.2.0');
  expect(kinds(from)).toEqual(['preflight', 'migrate', 'verify']);
  expect(await backupsOf(upgraded)).toEqual([]);
});

import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MatrixHomeserver } from '../../operator/api/matrix-homeserver.ts';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { backupStore, startScheduled, writeBackupSecrets } from './support/backups.ts';
import type { RunningOperator, Stage } from './support/stage.ts';
import { applyHomeserver, conditionOf, openStage, readHomeserver, waitCondition, waitReady } from './support/stage.ts';

let stage: Stage;
let s3: S3Server;
let operator: RunningOperator;
let namespace: string;
let database: string;
beforeAll(async () => {
  s3 = await startS3Server();
  stage = await openStage();
  operator = await stage.startOperator();
  namespace = await stage.namespace();
  await writeBackupSecrets(stage, s3, namespace);
  const backup = { schedule: '@yearly', ...backupStore(s3), drillSchedule: '@yearly' };
  await applyHomeserver(stage, namespace, { backup });
  database = (await waitReady(stage, namespace)).status.database?.name ?? '';
  await start('backup', 'one');
  await waitCondition(stage, namespace, { type: 'BackupReady', status: 'True' });
}, 1_800_000);
afterAll(async () => {
  await stage.dispose();
  await s3.stop();
});

const start = (of: 'backup' | 'drill', name: string) => startScheduled(stage, namespace, of, name);

const spares = () =>
  stage.sql(`select shobj_description(oid, 'pg_database') as comment from pg_database where datname = $1`, [
    `${database}_d`,
  ]);

async function untilSpares(count: number): Promise<void> {
  await waitFor(async () => (await spares()).length === count, { what: `${count} spare databases` });
}

async function untilDrilled(wanted: (view: MatrixHomeserver) => boolean): Promise<MatrixHomeserver> {
  return waitFor(
    async () => {
      const view = await readHomeserver(stage, namespace);
      return wanted(view) ? view : undefined;
    },
    { what: 'the drill to be told' },
  );
}

test('a drill proves the newest backup in a spare database that is gone afterwards', async () => {
  await start('drill', 'drill-one');
  const view = await untilDrilled(({ status }) => status.backup?.lastDrillTime !== undefined);
  expect(conditionOf(view, 'BackupReady')?.message).toMatch(/the last backup is of .*, the last drill of 20/);
  await untilSpares(0);
  const members = `select from pg_auth_members m join pg_roles o on o.oid = m.roleid
    where o.rolname = $1 and m.member = (select oid from pg_roles where rolname = $2) and m.grantor = m.member`;
  expect(await stage.sql(members, [database, stage.postgres.username])).toEqual([]);
  expect(await stage.sql('select from ops.replica where id not like $1', ['stand-in-%'], database)).toEqual([]);
});

test('what a drill leaves when the operator dies in it is dropped by the next one, and nothing else ever is', async () => {
  stage.actors.behaviour.hangJobsOf = 'drill';
  await start('drill', 'drill-two');
  await untilSpares(1);
  await operator.stop();
  await stage.client.delete(KINDS.job, { namespace, name: 'drill-two' });
  operator = await stage.startOperator();
  await untilSpares(0);

  // A database of that name which is not ours is neither used nor dropped.
  await stage.sql(`create database "${database}_d"`);
  await start('drill', 'drill-three');
  await waitCondition(stage, namespace, { type: 'BackupReady', status: 'False', reason: 'DatabaseConflict' });
  await waitReady(stage, namespace);
  expect(await spares()).toEqual([{ comment: null }]);
  await stage.client.delete(KINDS.job, { namespace, name: 'drill-three' });
  await waitCondition(stage, namespace, { type: 'BackupReady', status: 'True' });
  expect(await spares()).toHaveLength(1);
  await stage.sql(`drop database "${database}_d"`);
  stage.actors.behaviour.hangJobsOf = undefined;
});

test('a backup that is not whole fails the drill, which is told while the server serves on', async () => {
  const folder = join(s3.folder, `${namespace}.example`, 'data');
  const [id = ''] = await readdir(folder);
  const objects = join(folder, id, 'public.users');
  const [object = ''] = await readdir(objects);
  await writeFile(join(objects, object), 'rotten');
  await start('drill', 'drill-four');
  const view = await waitCondition(stage, namespace, {
    type: 'BackupReady',
    status: 'False',
    reason: 'DrillFailed',
  });
  expect(conditionOf(view, 'BackupReady')?.message).toContain('logs job/drill-four');
  await waitReady(stage, namespace);
  await untilSpares(0);
});

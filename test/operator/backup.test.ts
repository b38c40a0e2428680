import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import type { KubeObject } from '../../operator/runtime/kube-object.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { startScheduled, writeBackupSecrets } from './support/backups.ts';
import type { Stage } from './support/stage.ts';
import {
  applyHomeserver,
  collectGarbage,
  conditionOf,
  openStage,
  readHomeserver,
  waitCondition,
  waitReady,
  writeSecret,
} from './support/stage.ts';

let stage: Stage;
let s3: S3Server;
let namespace: string;
beforeAll(async () => {
  s3 = await startS3Server();
  stage = await openStage();
  await stage.startOperator();
  namespace = await stage.namespace();
  await writeSecrets(namespace);
}, 1_800_000);
afterAll(async () => {
  await stage.dispose();
  await s3.stop();
});

/** What the examples name. */
async function writeSecrets(where: string, key?: string): Promise<void> {
  const { username, password } = stage.postgres;
  await writeSecret(stage.client, { namespace: where, name: 'postgres-admin' }, { username, password });
  await writeBackupSecrets(stage, s3, where, key === undefined ? {} : { key });
}

const Example = z.looseObject({
  spec: z.looseObject({
    database: z.looseObject({ server: z.looseObject({}) }),
    backup: z.looseObject({ s3: z.looseObject({}) }),
    bootstrap: z.looseObject({ restore: z.looseObject({ s3: z.looseObject({}) }) }).optional(),
  }),
});

/** The spec of an example as it stands, but for its name and the places that only this test has. */
async function example(name: 'backup' | 'restore'): Promise<Record<string, unknown>> {
  const file = join(import.meta.dirname, '..', '..', 'examples', name, 'homeserver.yaml');
  const { spec } = Example.parse(parse(await readFile(file, 'utf8')));
  const here = { endpoint: s3.endpoint, forcePathStyle: true };
  const { host, port } = stage.postgres;
  const { backup, bootstrap, database } = spec;
  const server = { ...database.server, host, port };
  const restore = bootstrap?.restore;
  return {
    ...spec,
    serverName: serverName(),
    database: { ...database, server, tls: { mode: 'Disable' } },
    backup: { ...backup, s3: { ...backup.s3, ...here } },
    ...(restore !== undefined && { bootstrap: { restore: { ...restore, s3: { ...restore.s3, ...here } } } }),
  };
}

const serverName = () => `${namespace}.example`;

/** One backup out of turn, to its end. */
async function runScheduled(job: string): Promise<KubeObject> {
  await startScheduled(stage, namespace, 'backup', job);
  return waitFor(
    async () => {
      const found = await stage.client.get(KINDS.job, { namespace, name: job });
      return /"type":"(Complete|Failed)"/.test(JSON.stringify(found)) ? found : undefined;
    },
    { what: `Job ${job} to end` },
  );
}

test('the examples: a resource backs up as scheduled, is deleted with its database, and comes back in another namespace', async () => {
  await applyHomeserver(stage, namespace, await example('backup'));
  const first = await waitReady(stage, namespace);
  expect(
    conditionOf(await waitCondition(stage, namespace, { type: 'BackupReady', status: 'False' }), 'BackupReady'),
  ).toMatchObject({
    reason: 'NeverRun',
  });
  const database = first.status.database?.name ?? '';
  await stage.sql(
    "insert into users (user_id, server_no, local) values ('@alice:kept.example', 1, true)",
    [],
    database,
  );
  expect(JSON.stringify(await runScheduled('by-hand'))).toContain('"type":"Complete"');
  const good = await waitCondition(stage, namespace, { type: 'BackupReady', status: 'True' });
  expect(good.status.backup?.lastSuccessTime).toMatch(/^20\d\d-.*Z$/);
  expect(good.status.backup?.latestID).toMatch(/^20\d{6}T\d{6}Z-[0-9a-f]{10}$/);

  await stage.client.delete(KINDS.homeserver, { namespace, name: 'chat' });
  // The Job of the CronJob would go with it; this one has no owner.
  const retained = ['Job/by-hand', 'Secret/chat-app', 'Secret/chat-db', 'Secret/chat-key-k1'];
  await collectGarbage(stage, namespace, first.metadata.uid, retained);
  await stage.sql(`drop database "${database}" with (force)`);

  const another = await stage.namespace();
  await writeSecrets(another);
  await applyHomeserver(stage, another, await example('restore'));
  const restored = await waitReady(stage, another);
  expect(stage.actors.jobsRun.filter((job) => job === 'chat-restore')).toHaveLength(1);
  expect(restored.status.signingKeys?.map(({ name, keyID, publicKey }) => [name, keyID, publicKey])).toEqual(
    first.status.signingKeys?.map(({ name, keyID, publicKey }) => [name, keyID, publicKey]),
  );
  const into = restored.status.database?.name ?? '';
  expect(into).not.toBe(database);
  const found = "select (select count(*)::int4 from users where user_id = '@alice:kept.example') as users";
  expect(await stage.sql(found, [], into)).toEqual([{ users: 1 }]);
  const left = "select to_regclass('matrix_operator.restored_keys')::text as keys, state from restore.state";
  expect(await stage.sql(left, [], into)).toEqual([{ keys: null, state: 'done' }]);
});

test('a restore of a backup that is not there stalls, makes no signing key and shows no secret', async () => {
  const another = await stage.namespace();
  await writeSecrets(another, 'another text to encrypt with, just as long');
  await applyHomeserver(stage, another, {
    ...(await example('restore')),
    serverName: `other-${namespace}.example`,
  });
  const stalled = await waitCondition(stage, another, { type: 'Stalled', status: 'True', reason: 'RestoreFailed' });
  expect(conditionOf(stalled, 'DatabaseReady')).toMatchObject({ status: 'False', reason: 'RestoreFailed' });
  expect(await stage.client.get(KINDS.secret, { namespace: another, name: 'chat-key-k1' })).toBeUndefined();
  expect(JSON.stringify(stalled.status)).not.toContain('another text to encrypt with');
});

test('a missing Secret of a backup is told in BackupReady and does not stop the server', async () => {
  const another = await stage.namespace();
  const { backup } = await example('backup');
  await applyHomeserver(stage, another, { backup });
  const view = await waitReady(stage, another);
  expect(conditionOf(view, 'BackupReady')).toMatchObject({ status: 'False', reason: 'SecretMissing' });
  await writeSecrets(another);
  await waitCondition(stage, another, { type: 'BackupReady', status: 'False', reason: 'NeverRun' });
  await applyHomeserver(stage, another);
  await waitFor(
    async () => (await stage.client.get(KINDS.cronJob, { namespace: another, name: 'chat-backup' })) === undefined,
    { what: 'the CronJob to go' },
  );
  const without = await waitFor(
    async () => {
      const now = await readHomeserver(stage, another);
      return conditionOf(now, 'BackupReady') === undefined ? now : undefined;
    },
    { what: 'the condition to go' },
  );
  expect(without.status.backup).toBeUndefined();
});

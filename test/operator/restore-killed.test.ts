import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { backupStore, startScheduled, writeBackupSecrets } from './support/backups.ts';
import { endState } from './support/compare.ts';
import { liveUntil } from './support/killed-operator.ts';
import type { Proxy } from './support/killing-proxy.ts';
import { startProxy } from './support/killing-proxy.ts';
import type { Stage } from './support/stage.ts';
import { applyHomeserver, collectGarbage, conditionOf, openStage, readHomeserver, waitReady } from './support/stage.ts';
import { TEST_CATALOGUE } from './support/test-programs.ts';

const MAX_LIVES = 60;
const SERVER_NAME = 'kept.example';
const RETAINED = ['Secret/chat-app', 'Secret/chat-db', 'Secret/chat-key-k1'];

let stage: Stage;
let s3: S3Server;
let folder: string;
let proxy: Proxy;
beforeAll(async () => {
  s3 = await startS3Server();
  stage = await openStage();
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-restore-'));
  proxy = await startProxy(stage.api, folder);
}, 1_800_000);
afterAll(async () => {
  await proxy.close();
  await stage.dispose();
  await s3.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A namespace with what a backup and a restore need. */
async function namespaceWithSecrets(): Promise<string> {
  const namespace = await stage.namespace();
  await writeBackupSecrets(stage, s3, namespace);
  return namespace;
}

async function backUp(namespace: string): Promise<void> {
  await startScheduled(stage, namespace, 'backup', 'now');
  await waitFor(async () => (await readHomeserver(stage, namespace)).status.backup?.latestID !== undefined, {
    what: 'the backup',
  });
  await stage.client.delete(KINDS.job, { namespace, name: 'now' });
}

/** Two resources of one server name would be in each other's way. */
async function remove(namespace: string): Promise<void> {
  const { metadata } = await readHomeserver(stage, namespace);
  await stage.client.delete(KINDS.homeserver, { namespace, name: 'chat' });
  await collectGarbage(stage, namespace, metadata.uid, RETAINED);
}

async function isReady(namespace: string): Promise<boolean> {
  const view = await readHomeserver(stage, namespace);
  return view.status.observedGeneration === view.metadata.generation && conditionOf(view, 'Ready')?.status === 'True';
}

test('killed after every single write of a bootstrap from a backup, the operator arrives at the same end', {
  timeout: 300_000,
}, async () => {
  const [source, whole, killed] = [
    await namespaceWithSecrets(),
    await namespaceWithSecrets(),
    await namespaceWithSecrets(),
  ];
  const restored = { serverName: SERVER_NAME, bootstrap: { restore: backupStore(s3) } };
  const operator = await stage.startOperator({ catalogue: TEST_CATALOGUE });
  await applyHomeserver(stage, source, {
    serverName: SERVER_NAME,
    backup: { ...backupStore(s3), schedule: '@yearly' },
  });
  const { signingKeys } = (await waitReady(stage, source)).status;
  await backUp(source);
  await remove(source);
  await applyHomeserver(stage, whole, restored);
  await waitReady(stage, whole);
  const expected = await endState(stage, whole);
  await operator.stop();
  await remove(whole);

  await applyHomeserver(stage, killed, restored);
  const from = stage.actors.jobsRun.length;
  const writes = await liveUntil(
    { namespace: killed, proxy, folder, diesOfRows: true },
    () => isReady(killed),
    MAX_LIVES,
  );
  expect(writes.filter((write) => /jobs$/.test(write))).toHaveLength(1);
  expect(writes.filter((write) => write.startsWith('wrote drop table'))).toHaveLength(1);
  expect(stage.actors.jobsRun.slice(from)).toEqual(['chat-restore']);
  expect(await endState(stage, killed)).toBe(expected);
  const { status } = await readHomeserver(stage, killed);
  const keyOf = ({ keyID, publicKey }: { keyID?: string | undefined; publicKey?: string | undefined }) => [
    keyID,
    publicKey,
  ];
  expect(status.signingKeys?.map(keyOf)).toEqual(signingKeys?.map(keyOf));
  const left = "select to_regclass('matrix_operator.restored_keys')::text as keys, state from restore.state";
  expect(await stage.sql(left, [], status.database?.name)).toEqual([{ keys: null, state: 'done' }]);
});

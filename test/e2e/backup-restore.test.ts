import { expect, test } from 'vitest';
import * as z from 'zod';
import { kubectl, portForward } from '../cluster/clients.ts';
import type { ClusterHandle } from '../cluster/cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import { apply, condition, getHomeserver, NAMESPACE as QUICKSTART } from './support/quickstart.ts';
import { S3, S3_SECRET, startS3 } from './support/s3-pod.ts';
import { call, history, logIn, newSession } from './support/session.ts';
import { cluster } from './support/setup.ts';
import { Traffic } from './support/traffic.ts';

const NAMESPACE = 'kept';
const SERVER_NAME = 'kept.localhost';

const Secret = z.looseObject({ data: z.record(z.string(), z.string()) });

/** A namespace with the Secrets that the resources name. */
async function prepare(handle: ClusterHandle): Promise<void> {
  await kubectl(handle, ['create', 'namespace', NAMESPACE]);
  const admin = await kubectl(handle, ['get', 'secret', 'postgres-admin', '--namespace', QUICKSTART, '-o', 'json']);
  const { data } = Secret.parse(JSON.parse(admin));
  const items = [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'postgres-admin' }, data },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'backup-key' },
      stringData: { key: 'a text to encrypt with, of 32 characters' },
    },
    S3_SECRET,
  ];
  await apply(handle, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), NAMESPACE);
}

const store = () => ({ s3: S3(NAMESPACE), encryptionSecretRef: { name: 'backup-key', key: 'key' } });

async function applyServer(handle: ClusterHandle, name: string, more: object): Promise<void> {
  const spec = {
    serverName: SERVER_NAME,
    database: {
      server: { host: `postgres.${QUICKSTART}.svc`, adminSecretRef: { name: 'postgres-admin' } },
      tls: { mode: 'Disable' },
    },
    config: { registration: { mode: 'Open' }, rateLimits: { enabled: false } },
    ...more,
  };
  const resource = { apiVersion: 'matrix-operator.dev/v1alpha1', kind: 'MatrixHomeserver', metadata: { name }, spec };
  await apply(handle, JSON.stringify(resource), NAMESPACE);
  await waitFor(async () => condition(await getHomeserver(handle, name, NAMESPACE), 'Ready')?.status === 'True', {
    what: `${NAMESPACE}/${name} to be Ready`,
    timeoutMs: 180_000,
    everyMs: 100,
  });
}

const Status = z.looseObject({ backup: z.looseObject({}).optional() });

/** As an administrator does who does not wait for the night; until the status tells of it. */
async function runNow(handle: ClusterHandle, of: 'backup' | 'drill', field: string): Promise<void> {
  const create = ['create', 'job', `--from=cronjob/chat-${of}`, `${of}-now`, '--namespace', NAMESPACE];
  await kubectl(handle, create);
  await waitFor(
    async () => {
      const { status } = await getHomeserver(handle, 'chat', NAMESPACE);
      return Status.parse(status).backup?.[field] !== undefined;
    },
    { what: `status.backup.${field}`, timeoutMs: 120_000, everyMs: 100 },
  );
}

async function verifyKeys(url: string): Promise<unknown> {
  const document: unknown = await (await fetch(`${url}/_matrix/key/v2/server`)).json();
  return z.looseObject({ verify_keys: z.looseObject({}) }).parse(document).verify_keys;
}

/** A user with messages, on the server behind the Service `name`. */
async function talk(handle: ClusterHandle) {
  const forward = await portForward(handle, NAMESPACE, 'service/chat', 8008);
  try {
    const session = await newSession(forward.baseUrl);
    const traffic = new Traffic(session);
    await traffic.start(2);
    await traffic.flow(20);
    await traffic.finish();
    return { session, said: await history(session), keys: await verifyKeys(forward.baseUrl) };
  } finally {
    await forward.stop();
  }
}

test('a server that is lost with its database comes back from S3: its users, their messages and its signing key', async () => {
  const handle = await cluster();
  await prepare(handle);
  const backup = { ...store(), schedule: '@yearly', drillSchedule: '@yearly' };
  const deletion = { policy: 'Delete', confirm: SERVER_NAME };
  await Promise.all([startS3(handle, NAMESPACE), applyServer(handle, 'chat', { backup, deletion })]);
  const { session, said, keys } = await talk(handle);
  expect(said.length).toBeGreaterThanOrEqual(20);
  await runNow(handle, 'backup', 'latestID');
  await runNow(handle, 'drill', 'lastDrillTime');
  await kubectl(handle, ['delete', 'matrixhomeserver', 'chat', '--namespace', NAMESPACE, '--timeout=180s']);
  const secrets = await kubectl(handle, ['get', 'secrets', '--namespace', NAMESPACE, '-o', 'name']);
  expect(secrets).not.toContain('chat-key');

  await applyServer(handle, 'again', { bootstrap: { restore: store() } });
  const forward = await portForward(handle, NAMESPACE, 'service/again', 8008);
  try {
    const url = forward.baseUrl;
    const token = await logIn(url, session.userId, session.password);
    expect(await history({ ...session, url, token })).toEqual(said);
    expect(await verifyKeys(url)).toEqual(keys);
    // The device of before is still logged in.
    await expect(call(url, 'GET', '/account/whoami', undefined, session.token)).resolves.toMatchObject({
      user_id: session.userId,
    });
  } finally {
    await forward.stop();
    await kubectl(handle, ['delete', 'namespace', NAMESPACE, '--wait=false']);
  }
});

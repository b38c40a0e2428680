import { readFile, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { installHttpRoutes, installKind } from './support/foreign-kinds.ts';
import type { Stage } from './support/stage.ts';
import { applyHomeserver, openStage, waitReady, writeSecret } from './support/stage.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');
const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };

const Example = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().default('default') }),
  spec: z.looseObject({}),
});

const readExample = async (name: string) =>
  Example.parse(parse(await readFile(join(EXAMPLES, name, 'homeserver.yaml'), 'utf8')));

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.dispose());

test('the API server accepts every example as it is written, without a field that it does not know', async () => {
  const files = await readdir(EXAMPLES, { recursive: true });
  const names = files.filter((file) => basename(file) === 'homeserver.yaml').map(dirname);
  expect(names).toContain('production');
  for (const name of names) {
    const example = await readExample(name);
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: example.metadata.namespace } };
    await stage.client.apply(NAMESPACE, namespace, 'user');
    await stage.client.apply(KINDS.homeserver, example, 'user');
    await stage.client.delete(KINDS.homeserver, example.metadata);
  }
});

test('the production example, with a database that is there, becomes Ready', async () => {
  await installHttpRoutes(stage.client);
  await installKind(stage.client, KINDS.serviceMonitor);
  stage.actors.behaviour.servesRoutes = true;
  await stage.startOperator();
  const namespace = await stage.namespace();
  const { spec } = await readExample('production');
  const { host, port } = stage.postgres;
  const server = { host, port, adminSecretRef: { name: 'pg-admin' } };
  await writeSecret(stage.client, { namespace, name: 'registration' }, { tokens: 'one' });
  await writeSecret(stage.client, { namespace, name: 'turn' }, { secret: 'north' });
  await writeSecret(stage.client, { namespace, name: 'media-s3' }, { accessKeyId: 'one', secretAccessKey: 'two' });
  const database = { server, tls: { mode: 'Disable' }, poolSize: 20 };
  await applyHomeserver(stage, namespace, { ...spec, database, federation: { selfCheck: 'Off' }, replicas: 3 });
  const { status } = await waitReady(stage, namespace);
  expect(status.endpoints).toEqual({
    client: 'https://matrix.example.org',
    federation: 'matrix.example.org:443',
    wellKnownServer: 'matrix.example.org:443',
    elementWeb: 'https://app.example.org',
    rtc: 'https://rtc.example.org',
  });
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { kubectl } from '../cluster/clients.ts';
import type { ClusterHandle } from '../cluster/cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import {
  apply,
  condition,
  EXAMPLE,
  getHomeserver,
  type HomeserverView,
  inPostgres,
  NAMESPACE,
} from './support/quickstart.ts';
import { cluster } from './support/setup.ts';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod';

const BAD = 'bad-manifests';
const TIMEOUT_MS = 90_000;

const Secret = z.looseObject({
  kind: z.literal('Secret'),
  stringData: z.looseObject({ username: z.string(), password: z.string() }),
});

let handle: ClusterHandle;
let admin: { username: string; password: string };

async function adminOfExample(): Promise<{ username: string; password: string }> {
  const text = await readFile(join(EXAMPLE, 'postgres.yaml'), 'utf8');
  const secrets = parseAllDocuments(text).map((document) => Secret.safeParse(document.toJS()));
  const found = secrets.find((secret) => secret.success);
  if (found?.data === undefined) throw new Error('examples/quickstart/postgres.yaml has no Secret');
  return found.data.stringData;
}

const secretYaml = (name: string, data: Record<string, string>): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: data });

const homeserverYaml = (name: string, spec: object): string =>
  JSON.stringify({ apiVersion: 'matrix-operator.dev/v1alpha1', kind: 'MatrixHomeserver', metadata: { name }, spec });

const tls = { mode: 'Disable' };
const onServer = (host: string, secret = 'admin') => ({ server: { host, adminSecretRef: { name: secret } }, tls });

beforeAll(async () => {
  handle = await cluster();
  admin = await adminOfExample();
  await apply(handle, JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: BAD } }));
  await apply(handle, secretYaml('admin', admin), BAD);
});

afterAll(async () => {
  await kubectl(handle, ['delete', 'namespace', BAD, '--wait=false']);
});

/** What kubectl says when the API server refuses the manifest. */
async function refusal(yaml: string): Promise<string> {
  return apply(handle, yaml, BAD).then(
    () => 'the manifest was accepted',
    (error: unknown) => String(error),
  );
}

/** The resource once it is not Ready for one of `reasons`. */
async function settled(name: string, reasons: readonly string[]): Promise<HomeserverView> {
  return waitFor(
    async () => {
      const view = await getHomeserver(handle, name, BAD);
      const ready = condition(view, 'Ready');
      return ready?.status === 'False' && reasons.includes(ready.reason) ? view : undefined;
    },
    { what: `${name} to say ${reasons.join(' or ')}`, timeoutMs: TIMEOUT_MS, everyMs: 100 },
  );
}

test('a serverName that is no server name is refused with what is allowed', async () => {
  const said = await refusal(
    homeserverYaml('wrong-name', { serverName: 'https://Example.org/', database: onServer('db') }),
  );
  expect(said).toMatch(/serverName/);
  expect(said).toMatch(/lower-case host name/);
});

test('a changed serverName is refused: it cannot be changed', async () => {
  const database = onServer('nowhere.invalid');
  await apply(handle, homeserverYaml('renamed', { serverName: 'one.example.org', database }), BAD);
  const said = await refusal(homeserverYaml('renamed', { serverName: 'two.example.org', database }));
  expect(said).toMatch(/serverName.*cannot be changed/);
});

test('replicas -1 is refused with the least that is allowed', async () => {
  const said = await refusal(
    homeserverYaml('minus', { serverName: 'minus.example.org', replicas: -1, database: onServer('db') }),
  );
  expect(said).toMatch(/spec\.replicas/);
  expect(said).toMatch(/greater than or equal to 0/);
});

test('an unreachable database is named, with what to check, and tried again', async () => {
  const database = onServer('nowhere.invalid');
  await apply(handle, homeserverYaml('unreachable', { serverName: 'unreachable.example.org', database }), BAD);
  const view = await settled('unreachable', ['DatabaseUnreachable']);
  expect(condition(view, 'DatabaseReady')).toMatchObject({ status: 'False', reason: 'DatabaseUnreachable' });
  expect(condition(view, 'DatabaseReady')?.message).toMatch(/nowhere\.invalid:5432/);
  expect(condition(view, 'DatabaseReady')?.message).not.toContain(admin.password);
});

test('a wrong password is named with the Secret to correct, and correcting it heals the resource', async () => {
  await apply(handle, secretYaml('wrong-admin', { ...admin, password: 'not-the-password' }), BAD);
  const database = onServer(`postgres.${NAMESPACE}.svc`, 'wrong-admin');
  await apply(handle, homeserverYaml('password', { serverName: 'password.example.org', database, replicas: 0 }), BAD);
  const view = await settled('password', ['LoginRefused']);
  expect(condition(view, 'Stalled')).toMatchObject({ status: 'True' });
  expect(condition(view, 'DatabaseReady')?.message).toMatch(/wrong-admin/);
  expect(JSON.stringify(view)).not.toContain('not-the-password');
  const label = { 'matrix-operator.dev/watch': 'true' };
  const healed = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'wrong-admin', labels: label },
    stringData: admin,
  };
  await apply(handle, JSON.stringify(healed), BAD);
  await waitFor(
    async () => condition(await getHomeserver(handle, 'password', BAD), 'DatabaseReady')?.status === 'True',
    {
      what: 'the corrected password to be taken',
      timeoutMs: TIMEOUT_MS,
      everyMs: 100,
    },
  );
});

test('a database of the wrong collation is named, with how to make it', async () => {
  await inPostgres(handle, 'drop database if exists wrong_collation');
  const how = "template template0 encoding 'UTF8' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'";
  await inPostgres(handle, `create database wrong_collation ${how}`);
  const secret = { host: `postgres.${NAMESPACE}.svc`, port: '5432', dbname: 'wrong_collation', ...admin };
  await apply(handle, secretYaml('wrong-collation', secret), BAD);
  const database = { existing: { secretRef: { name: 'wrong-collation' } }, tls };
  await apply(handle, homeserverYaml('collation', { serverName: 'collation.example.org', database }), BAD);
  const view = await settled('collation', ['WrongCollation']);
  expect(condition(view, 'DatabaseReady')?.message).toMatch(/C\.UTF-8/);
  expect(condition(view, 'DatabaseReady')?.message).toMatch(/template0/);
});

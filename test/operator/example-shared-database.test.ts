import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import type { Manifest } from '../../operator/runtime/kube-object.ts';
import { binary } from '../cluster/binaries.ts';
import { runCommand } from '../cluster/run-command.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Stage } from './support/stage.ts';
import { conditionOf, openStage, waitCondition, waitReady } from './support/stage.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const Secret = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
  stringData: z.record(z.string(), z.string()),
});
const Homeserver = Secret.omit({ stringData: true });

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.dispose());

const read = (path: string) => readFile(join(ROOT, path), 'utf8');
const readExample = async (file: string): Promise<unknown> => parse(await read(`examples/shared-database/${file}`));

/** The first block of a language in docs/databases.md. */
async function block(language: string): Promise<string> {
  const found = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(await read('docs/databases.md'));
  return found?.[1] ?? expect.fail(`no ${language} in docs/databases.md`);
}

async function makeNamespace(name: string): Promise<void> {
  await stage.client.create(KINDS.namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, 'test');
}

test('the login, the entry and the resource of the documentation lead to a homeserver that is Ready, and Delete undoes it', async () => {
  await stage.sql(await block('sql'));
  const entry = Secret.parse(await readExample('server-entry.yaml'));
  const homeserver: Manifest = Homeserver.parse(await readExample('homeserver.yaml'));
  const { namespace } = homeserver.metadata as { namespace: string };
  const platform = entry.metadata.namespace;
  await makeNamespace(platform);
  await makeNamespace(namespace);
  const operator = await stage.startOperator({ namespace: platform });
  await stage.client.apply(KINDS.homeserver, homeserver, 'user');
  const early = await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'ServerNotAllowed' });
  expect(conditionOf(early, 'Ready')?.message).toContain('"shared"');

  // Only where the server is, and that it has no certificate, differs here.
  const { host, port } = stage.postgres;
  const stringData = { ...entry.stringData, host, port: String(port), tls: 'Disable' };
  await stage.client.apply(KINDS.secret, { ...entry, stringData }, 'platform');
  const { status } = await waitReady(stage, namespace);
  expect(status.database?.name).toMatch(/^mhs_chat_chat_[0-9a-f]{8}$/);

  const deletion = { policy: 'Delete', confirm: 'chat.example.org' };
  const spec = { ...(homeserver['spec'] as object), deletion };
  await stage.client.apply(KINDS.homeserver, { ...homeserver, spec }, 'user');
  const name = { namespace, name: 'chat' };
  await waitFor(async () => (await stage.client.get(KINDS.homeserver, name))?.metadata.finalizers?.length === 1, {
    what: 'the finalizer',
  });
  await stage.client.delete(KINDS.homeserver, name);
  await waitFor(async () => (await stage.client.get(KINDS.homeserver, name)) === undefined, { what: 'the end' });
  expect(await stage.sql('select from pg_database where datname = $1', [status.database?.name])).toEqual([]);
  await operator.stop();
});

test('the patch of the documentation lets go of a resource without an operator', async () => {
  const namespace = await stage.namespace();
  const homeserver: Manifest = {
    apiVersion: 'matrix-operator.dev/v1alpha1',
    kind: 'MatrixHomeserver',
    metadata: { namespace, name: 'chat', finalizers: ['matrix-operator.dev/database'] },
    spec: { serverName: 'held.example', database: { serverRef: { name: 'gone' } } },
  };
  await stage.client.create(KINDS.homeserver, homeserver, 'user');
  await stage.client.delete(KINDS.homeserver, { namespace, name: 'chat' });
  const words = (await block('sh')).replace('NAMESPACE', namespace).replace('NAME', 'chat').trim().split(' ');
  const [program = '', ...args] = words.map((word) => word.replaceAll("'", ''));
  expect(program).toBe('kubectl');
  await runCommand(await binary('kubectl'), ['--kubeconfig', stage.api.kubeconfigPath, ...args], { timeoutMs: 60_000 });
  expect(await stage.client.get(KINDS.homeserver, { namespace, name: 'chat' })).toBeUndefined();
});

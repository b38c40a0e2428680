import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { binary } from '../cluster/binaries.ts';
import { documentsOn } from '../support/command-ledger.ts';
import type { Reader } from '../support/run-documented.ts';
import { runPage } from '../support/run-documented.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { installHttpRoutes, installKind } from './support/foreign-kinds.ts';
import type { Stage } from './support/stage.ts';
import { openStage, writeSecret } from './support/stage.ts';
import { TEST_CATALOGUE } from './support/test-programs.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const EXAMPLES = join(ROOT, 'examples');
const PLATFORM = 'matrix-operator';

let stage: Stage;
let s3: S3Server;
/** The examples, with the places that only this machine has. */
let folder: string;
beforeAll(async () => {
  s3 = await startS3Server();
  stage = await openStage();
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-documents-'));
  await makeNamespace(PLATFORM);
  await installHttpRoutes(stage.client);
  await installKind(stage.client, KINDS.serviceMonitor);
  stage.actors.behaviour.servesRoutes = true;
  stage.actors.behaviour.balancesAt = { ip: '203.0.113.7' };
  await stage.startOperator({ namespace: PLATFORM, keyWaitDivisor: 1_000_000, catalogue: TEST_CATALOGUE });
  await copyExamples();
  const plugin = join(ROOT, 'operator', 'plugin', 'main.ts');
  await writeFile(join(folder, 'kubectl-matrix'), `#!/bin/sh\nexec "${process.execPath}" "${plugin}" "$@"\n`, {
    mode: 0o755,
  });
}, 1_800_000);
afterAll(async () => {
  await stage.dispose();
  await s3.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Each example in a namespace and under a server name of its own; with this PostgreSQL and this bucket. */
async function copyExamples(): Promise<void> {
  await cp(EXAMPLES, join(folder, 'examples'), { recursive: true });
  for (const file of await readdir(join(folder, 'examples'), { recursive: true })) {
    if (!file.endsWith('.yaml')) continue;
    const path = join(folder, 'examples', file);
    await writeFile(path, here(await readFile(path, 'utf8'), dirname(file)));
  }
}

function here(yaml: string, example: string): string {
  const { host, port, username, password } = stage.postgres;
  return yaml
    .replace(/\{host: [a-z.]+, /, `{host: ${host}, port: ${port}, `)
    .replace(/\n {4}tls: .*/, '')
    .replace(/\n {4}server: .*/, (server) => `${server}\n    tls: {mode: Disable}`)
    .replace(/\n {2}host: .*\n {2}port: .*/, `\n  host: ${host}\n  port: "${port}"`)
    .replace('username: matrix_operator', `username: ${username}`)
    .replace('password: choose-a-password', `password: ${password}`)
    .replace('tls: VerifyFull', 'tls: Disable')
    .replace('namespaces: chat,', `namespaces: ${example},`)
    .replace('namespace: chat}', `namespace: ${example}}`)
    .replace(/serverName: .*/, `serverName: ${example.replace('restore', 'backup')}.example`)
    .replaceAll('region: eu-central-1,', `region: ${s3.region}, endpoint: "${s3.endpoint}", forcePathStyle: true,`);
}

async function makeNamespace(name: string): Promise<void> {
  await stage.client.create(KINDS.namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, 'test');
}

const Kubeconfig = z.looseObject({ contexts: z.array(z.looseObject({ context: z.looseObject({}) })) });

/** Somebody with kubectl whose context is at a namespace. */
async function readerAt(namespace: string, cwd: string): Promise<Reader> {
  const config = Kubeconfig.parse(parse(await readFile(stage.api.kubeconfigPath, 'utf8')));
  const contexts = config.contexts.map((one) => ({ ...one, context: { ...one.context, namespace } }));
  const file = join(folder, `${namespace}.kubeconfig`);
  await writeFile(file, stringify({ ...config, contexts }));
  const env = {
    KUBECONFIG: file,
    PATH: `${folder}:${dirname(await binary('kubectl'))}:${process.env['PATH'] ?? ''}`,
    ACCESS_KEY_ID: s3.accessKeyId,
    SECRET_ACCESS_KEY: s3.secretAccessKey,
    BACKUP_KEY: await backupKey(),
  };
  return { cwd: join(folder, cwd), env, with: { '-n chat ': `-n ${namespace} ` } };
}

/** What a person kept of the Secret that the backup example made. */
async function backupKey(): Promise<string> {
  const found = await stage.client.get(KINDS.secret, { namespace: 'backup', name: 'backup-key' });
  const data = z.looseObject({ key: z.string() }).safeParse(found?.['data']).data;
  return Buffer.from(data?.key ?? '', 'base64').toString('utf8');
}

async function secret(namespace: string, name: string, values: Record<string, string>): Promise<void> {
  await writeSecret(stage.client, { namespace, name }, values);
}

async function adminSecret(namespace: string, name: string): Promise<void> {
  const { username, password } = stage.postgres;
  await secret(namespace, name, { username, password });
}

/** What each page tells its reader to have first. */
const FIRST: Readonly<Record<string, () => Promise<Reader>>> = {
  'examples/argo-cd/README.md': async () => {
    await makeNamespace('argocd');
    const metadata = { namespace: 'argocd', name: 'argocd-cm' };
    await stage.client.create(KINDS.configMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata }, 'argocd');
    return readerAt('argocd', 'examples/argo-cd');
  },
  'examples/backup/README.md': async () => {
    await makeNamespace('backup');
    await adminSecret('backup', 'postgres-admin');
    return { ...(await readerAt('backup', 'examples/backup')), before: waitForCronJob };
  },
  'docs/backup.md': async () => ({ ...(await readerAt('backup', '.')), before: oneDrillAtATime }),
  'docs/runbooks/MatrixHomeserverBackupFailing.md': () => readerAt('backup', '.'),
  'docs/upgrading.md': async () => {
    await cp(join(ROOT, 'crds'), join(folder, 'crds'), { recursive: true });
    return readerAt('default', '.');
  },
  'examples/restore/README.md': async () => {
    await jobsDone(6);
    await stage.client.delete(KINDS.homeserver, { namespace: 'backup', name: 'chat' });
    const reader = await readerAt('again', 'examples/restore');
    const before = async (command: string) => {
      if (command.includes(' apply ')) await adminSecret('again', 'postgres-admin');
    };
    return { ...reader, before };
  },
  'examples/key-rotation/README.md': async () => {
    await makeNamespace('key-rotation');
    await adminSecret('key-rotation', 'pg-admin');
    return { ...(await readerAt('key-rotation', 'examples/key-rotation')), before: waitForKey };
  },
  'examples/upgrade/README.md': async () => {
    await makeNamespace('upgrade');
    await adminSecret('upgrade', 'pg-admin');
    const reader = await readerAt('upgrade', 'examples/upgrade');
    await stage.client.apply(KINDS.homeserver, await readManifest('upgrade/2-on-spec-change.yaml'), 'user');
    await waitForText('upgrade', '"current":"0.2.0"');
    const before = async (command: string) => {
      if (!command.includes('upgrade.plan')) return;
      const found = await waitForText('upgrade', '"phase":"AwaitingApproval"');
      await writeFile(join(reader.cwd, 'plan-id'), /"plan":\{[^}]*?"id":"([0-9a-f]+)"/.exec(found)?.[1] ?? '');
    };
    return { ...reader, before };
  },
  'examples/production/README.md': async () => {
    await makeNamespace('production');
    await adminSecret('production', 'pg-admin');
    await secret('production', 'registration', { tokens: 'one' });
    await secret('production', 'turn', { secret: 'north' });
    await secret('production', 'media-s3', { accessKeyId: 'one', secretAccessKey: 'two' });
    return readerAt('production', '.');
  },
  'examples/turn/README.md': async () => {
    await makeNamespace('turn');
    await adminSecret('turn', 'pg-admin');
    await secret('turn', 'turn-tls', { 'tls.crt': 'one', 'tls.key': 'two' });
    return readerAt('turn', '.');
  },
  'examples/shared-database/README.md': async () => {
    await makeNamespace('shared-database');
    return readerAt('shared-database', '.');
  },
};

/** The operator makes the CronJob a moment after the resource is there. */
async function waitForCronJob(command: string): Promise<void> {
  const [, name] = /--from=cronjob\/(\S+)/.exec(command) ?? [];
  if (name === undefined) return;
  await waitFor(async () => (await stage.client.get(KINDS.cronJob, { namespace: 'backup', name })) !== undefined, {
    what: `the CronJob ${name}`,
  });
  // A drill restores a backup that is there.
  if (name === 'chat-drill') await jobsDone(1);
}

/** The spare database is made anew for each drill. */
async function oneDrillAtATime(command: string): Promise<void> {
  if (command.includes('chat-drill')) await jobsDone(4);
}

/** Waits until the resource holds a text; gives all of it. */
async function waitForText(namespace: string, text: string): Promise<string> {
  return waitFor(
    async () => {
      const found = JSON.stringify(await stage.client.get(KINDS.homeserver, { namespace, name: 'chat' }));
      return found.includes(text) ? found : undefined;
    },
    { what: `${namespace}/chat to say ${text}` },
  );
}

const AnyManifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

async function readManifest(file: string) {
  return AnyManifest.parse(parse(await readFile(join(folder, 'examples', file), 'utf8')));
}

async function waitForKey(command: string): Promise<void> {
  if (command.includes(' get ')) await waitForText('key-rotation', 'ed25519:');
}

/** Waits until the pages' Jobs have all ended well; `count` of them were made. */
async function jobsDone(count: number): Promise<void> {
  await waitFor(
    async () => {
      const { items } = await stage.client.list(KINDS.job, { namespace: 'backup' });
      const told = items.filter(({ metadata }) => /^(first-|chat-(backup|drill)-(now|runbook))/.test(metadata.name));
      return told.length === count && told.every((job) => JSON.stringify(job).includes('"type":"Complete"'));
    },
    { what: `${count} Jobs of the pages to be complete` },
  );
}

const PAGES = Object.keys(FIRST);

test('every page that is to be run here is', () => {
  expect(new Set(documentsOn('stage'))).toEqual(new Set(PAGES));
});

test.for(PAGES)('%s: every command does what it says', async (document) => {
  const reader = (await FIRST[document]?.()) ?? expect.fail(document);
  await runPage('stage', document, reader);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { buildCrd } from '../../../operator/api/generate-crd.ts';
import { MatrixHomeserver } from '../../../operator/api/matrix-homeserver.ts';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import type { KubeClient, ListOptions } from '../../../operator/runtime/kube-client.ts';
import { createKubeClient } from '../../../operator/runtime/kube-client.ts';
import { isNotFound } from '../../../operator/runtime/kube-error.ts';
import type { Manifest, Resource } from '../../../operator/runtime/kube-object.ts';
import { startApiServer } from '../../cluster/api-server.ts';
import { endingWithUs } from '../../cluster/child-process.ts';
import { kubectl } from '../../cluster/clients.ts';
import { bundle } from '../../support/bundle.ts';
import { waitFor } from '../../support/wait-for.ts';

const MANAGER = 'bench';
const EXAMPLE = join(import.meta.dirname, '..', '..', '..', 'examples', 'quickstart');
const SETTLE_MS = 5000;

const kind = (apiVersion: string, name: string, plural: string, namespaced = true): Resource => ({
  apiVersion,
  kind: name,
  plural,
  namespaced,
});

const CRD = kind('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions', false);
const NAMESPACE = kind('v1', 'Namespace', 'namespaces', false);
const STATEFUL_SET = kind('apps/v1', 'StatefulSet', 'statefulsets');
const POD = kind('v1', 'Pod', 'pods');
const EXAMPLE_KINDS = [NAMESPACE, STATEFUL_SET, KINDS.secret, KINDS.service, KINDS.homeserver];

/** Resident memory, in MB, of the bundled operator that leads an API server without resources, and its time to lead, in ms. */
export async function startFigures(): Promise<{ rssMb: number; leadMs: number }> {
  await using api = await startApiServer();
  const client = createKubeClient({ kubeconfig: api.kubeconfigPath, userAgent: MANAGER });
  await client.create(CRD, buildCrd(), MANAGER);
  await waitFor(() => client.list(KINDS.homeserver).then(() => true), { what: 'the CRD to be served' });
  await client.close();
  const program = join(await bundle(), 'operator.mjs');
  const settings = {
    KUBECONFIG: api.kubeconfigPath,
    MALLOC_ARENA_MAX: '1',
    MATRIX_OPERATOR_SECRET_NAMESPACES: '*',
    MATRIX_OPERATOR_HEALTH_HOST: '127.0.0.1',
    MATRIX_OPERATOR_HEALTH_PORT: '0',
  };
  const started = performance.now();
  const child = spawn(...endingWithUs(process.execPath, [...nodeFlags(), program, 'run']), {
    env: { ...process.env, ...settings },
  });
  const ended = once(child, 'exit');
  try {
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    await waitFor(() => output.includes('this process leads'), { what: 'the operator to lead', everyMs: 10 });
    const leadMs = performance.now() - started;
    await pause(SETTLE_MS);
    const status = readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8');
    return { rssMb: (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) * 1024) / 1e6, leadMs };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

/** The flags that the chart gives to Node. */
function nodeFlags(): string[] {
  const template = readFileSync('charts/matrix-operator/templates/deployment.yaml', 'utf8');
  const words = /args: \[(.*)\]/.exec(template)?.[1]?.split(', ') ?? [];
  return words.filter((word) => word.startsWith('--'));
}

/** The quickstart in a namespace of its own. */
export async function applyExample(client: KubeClient, namespace: string, postgresImage: string | undefined) {
  for (const manifest of readExample('postgres.yaml', namespace, postgresImage)) await apply(client, manifest);
  const Ready = z.looseObject({ status: z.looseObject({ readyReplicas: z.int() }) });
  await waitFor(
    async () =>
      Ready.safeParse(await client.get(STATEFUL_SET, { namespace, name: 'postgres' })).data?.status.readyReplicas === 1,
    { what: 'PostgreSQL to be ready', timeoutMs: 120_000 },
  );
  const started = performance.now();
  for (const manifest of readExample('homeserver.yaml', namespace, undefined)) await apply(client, manifest);
  await waitFor(async () => readyView(client, namespace), { what: 'Ready', timeoutMs: 180_000, everyMs: 50 });
  return performance.now() - started;
}

async function readyView(client: KubeClient, namespace: string): Promise<boolean> {
  const view = MatrixHomeserver.parse(await client.get(KINDS.homeserver, { namespace, name: 'quickstart' }));
  return view.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

const AnyManifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

function readExample(file: string, namespace: string, postgresImage: string | undefined): Manifest[] {
  const text = readFileSync(join(EXAMPLE, file), 'utf8')
    .replaceAll('namespace: quickstart', `namespace: ${namespace}`)
    .replaceAll('postgres.quickstart.svc', `postgres.${namespace}.svc`)
    .replaceAll('serverName: quickstart', `serverName: ${namespace}`)
    .replaceAll(/name: quickstart$/gm, `name: ${namespace}`)
    .replaceAll(/image: postgres:\S+/g, (image) => (postgresImage === undefined ? image : `image: ${postgresImage}`));
  return parseAllDocuments(text).map((document) => AnyManifest.parse(document.toJS()));
}

async function apply(client: KubeClient, manifest: Manifest): Promise<void> {
  const resource = EXAMPLE_KINDS.find((one) => one.kind === manifest.kind);
  if (resource === undefined)
    throw new Error(`the example holds a ${manifest.kind}, which the benchmark does not know`);
  await client.apply(resource, manifest, MANAGER);
}

/** Objects written by a run over a resource in which nothing has changed but an annotation of somebody else. */
export async function noOpWrites(client: KubeClient, namespace: string): Promise<number> {
  const name = { namespace, name: 'quickstart' };
  const found = await client.get(KINDS.homeserver, name);
  if (found === undefined) throw new Error('the resource is gone');
  const annotations = { ...found.metadata.annotations, 'example.org/touched': new Date().toISOString() };
  const before = await settled(client, namespace);
  const touched = await client.replace(
    KINDS.homeserver,
    { ...found, metadata: { ...found.metadata, annotations } },
    MANAGER,
  );
  before.set('MatrixHomeserver/quickstart', touched.metadata.resourceVersion);
  await pause(SETTLE_MS);
  const after = await versions(client, namespace);
  return [...after].filter(([key, version]) => before.get(key) !== version).length;
}

/** Versions of all objects once nobody changes them any more: Kubernetes itself writes for some seconds after Ready. */
async function settled(client: KubeClient, namespace: string): Promise<Map<string, string>> {
  let last = await versions(client, namespace);
  for (let round = 0; round < 20; round += 1) {
    await pause(SETTLE_MS);
    const next = await versions(client, namespace);
    if ([...next].every(([key, version]) => last.get(key) === version)) return next;
    last = next;
  }
  throw new Error('the objects of the quickstart do not come to rest');
}

async function versions(client: KubeClient, namespace: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const { homeserver, ...children } = KINDS;
  const add = async (resource: Resource, labelSelector?: string) => {
    for (const { metadata } of await listOrNone(client, resource, { namespace, labelSelector })) {
      found.set(`${resource.kind}/${metadata.name}`, metadata.resourceVersion);
    }
  };
  await add(homeserver);
  for (const resource of Object.values(children)) await add(resource, 'matrix-operator.dev/homeserver');
  return found;
}

/** Nothing where the cluster lacks the kind, as it may lack the Gateway API. */
async function listOrNone(client: KubeClient, resource: Resource, options: ListOptions) {
  try {
    return (await client.list(resource, options)).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

/** Resident memory, in MB, of the operator's pods in a running cluster: the largest. */
export async function podRss(client: KubeClient, target: Parameters<typeof kubectl>[0]): Promise<number> {
  const labelSelector = 'app.kubernetes.io/name=matrix-operator';
  const sizes = (await client.list(POD, { labelSelector })).items.map(async ({ metadata }) => {
    const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}:8080/proxy/metrics`;
    const text = await kubectl(target, ['get', '--raw', path]);
    return Number(/^\S*process_resident_memory_bytes (\S+)$/m.exec(text)?.[1] ?? Number.NaN) / 1e6;
  });
  if (sizes.length === 0) throw new Error('the operator is not installed in this cluster: npm start does that');
  return Math.max(...(await Promise.all(sizes)));
}

/** Removes a namespace that `applyExample` made. */
export async function removeExample(client: KubeClient, namespace: string): Promise<void> {
  await client.delete(NAMESPACE, { name: namespace });
}

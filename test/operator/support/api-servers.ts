import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import * as z from 'zod';
import { buildCrd } from '../../../operator/api/generate-crd.ts';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import { createKubeClient } from '../../../operator/runtime/kube-client.ts';
import type { Resource } from '../../../operator/runtime/kube-object.ts';
import { apiRequest } from '../../cluster/api-request.ts';
import type { ApiServer, ApiServerHandle } from '../../cluster/api-server.ts';
import { startApiServer } from '../../cluster/api-server.ts';
import { waitFor } from '../../support/wait-for.ts';
import { changeEtcd, etcdKey, readEtcd } from './etcd.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** One for each worker of the run, the CRD installed. */
    apiServers: readonly ApiServer[];
  }
}

const CRD_KIND: Resource = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

/** What the API server itself keeps up to date in etcd. */
const ITS_OWN = [
  'compact_rev_key',
  '/registry/apiregistration.k8s.io/',
  '/registry/endpointslices/default/kubernetes',
  '/registry/flowschemas/',
  '/registry/leases/kube-system/',
  '/registry/masterleases/',
  '/registry/peerserverleases/',
  '/registry/prioritylevelconfigurations/',
  '/registry/ranges/',
  '/registry/services/endpoints/default/kubernetes',
];

/** Global set-up: an API server for each worker of the run, started once. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // The servers live for minutes: their memory is cheaper than the time that collecting it takes.
  process.env['GOGC'] ??= '400';
  const files = project.vitest.state.getPaths().length;
  const count = Math.max(1, Math.min(Number(project.config.maxWorkers), files));
  const servers = await Promise.all(Array.from({ length: count }, () => startBase()));
  project.provide('apiServers', servers.map(plain));
  return async () => {
    await Promise.all(servers.map((server) => server.dispose()));
  };
}

/** What can be told to another process. */
function plain({ server, kubeconfigPath, contextName, credential, logDir, etcd }: ApiServer): ApiServer {
  return { server, kubeconfigPath, contextName, credential, logDir, etcd };
}

const Base = z.object({
  /** API groups that are served. */
  groups: z.array(z.string()),
  /** What etcd holds. */
  content: z.array(z.tuple([z.string(), z.string()])),
});
type Base = z.infer<typeof Base>;

const baseFile = ({ logDir }: ApiServer): string => join(logDir, 'base.json');

async function startBase(): Promise<ApiServerHandle> {
  const server = await startApiServer();
  await installCrd(server);
  const base: Base = { groups: await groupsOf(server), content: [...(await readEtcd(server.etcd))] };
  await writeFile(baseFile(server), JSON.stringify(base));
  return server;
}

/** Installs the CRD and waits until it is served. */
export async function installCrd(server: ApiServer): Promise<void> {
  await withClient(server, async (client) => {
    await client.create(CRD_KIND, buildCrd(), 'test');
    await waitFor(() => client.list(KINDS.homeserver).then(() => true), { what: 'the CRD to be served' });
  });
  const { group } = buildCrd().spec;
  await waitFor(async () => (await groupsOf(server)).includes(group), { what: `${group} to be listed` });
}

/**
 * The API server of this worker as it was when it started: whatever was done to it since is taken back. It outlives the
 * test file, so it cannot be stopped.
 */
export async function takeApiServer(): Promise<ApiServer> {
  const worker = process.env['VITEST_POOL_ID'];
  const server = inject('apiServers')[Number(worker) - 1];
  if (server === undefined) throw new Error(`worker ${worker} has no API server`);
  await reset(server, Base.parse(JSON.parse(await readFile(baseFile(server), 'utf8'))));
  return server;
}

async function reset(server: ApiServer, { groups, content }: Base): Promise<void> {
  const base = new Map(content);
  const found = await readEtcd(server.etcd);
  const isOurs = (key: string) => !ITS_OWN.some((prefix) => etcdKey(key).startsWith(prefix));
  const remove = [...found.keys()].filter((key) => !base.has(key) && isOurs(key));
  const put = new Map(content.filter(([key, value]) => found.get(key) !== value && isOurs(key)));
  await changeEtcd(server.etcd, { remove, put });
  const wanted = groups.join();
  await waitFor(async () => (await groupsOf(server)).join() === wanted, {
    what: `just the API groups ${wanted}`,
  });
  const isEmpty = async (client: KubeClient) => (await client.list(KINDS.homeserver)).items.length === 0;
  await withClient(server, (client) => waitFor(() => isEmpty(client), { what: 'our kind to be served' }));
}

const Groups = z.looseObject({ groups: z.array(z.looseObject({ name: z.string() })) });

/** Names of the API groups that are served, in order. */
async function groupsOf(server: ApiServer): Promise<string[]> {
  const { groups } = Groups.parse(JSON.parse((await apiRequest(server, 'GET', '/apis')).body));
  return groups.map(({ name }) => name).sort((a, b) => (a < b ? -1 : 1));
}

async function withClient(server: ApiServer, work: (client: KubeClient) => Promise<unknown>): Promise<void> {
  const client = createKubeClient({ kubeconfig: server.kubeconfigPath, userAgent: 'test' });
  try {
    await work(client);
  } finally {
    await client.close();
  }
}

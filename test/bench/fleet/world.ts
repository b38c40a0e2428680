import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { z } from 'zod';
import { buildCrd } from '../../../operator/api/generate-crd.ts';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import { createKubeClient } from '../../../operator/runtime/kube-client.ts';
import type { Manifest, Resource } from '../../../operator/runtime/kube-object.ts';
import { apiRequest } from '../../cluster/api-request.ts';
import type { ApiServerHandle } from '../../cluster/api-server.ts';
import { startApiServer } from '../../cluster/api-server.ts';
import type { PostgresAddress } from '../../support/embedded-postgres.ts';
import { startPostgres } from '../../support/embedded-postgres.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Root } from './cpu.ts';
import { type Kwok, kwokPrograms, startKwok } from './kwok.ts';

export const MANAGER = 'bench';
/** Of the operator and its Lease. */
export const HOME = 'matrix-operator';
const PER_NAMESPACE = 100;
/** As docs/databases.md says for many databases: by default autovacuum visits each of them every minute. */
const POSTGRES = { max_connections: '100', shared_buffers: '256MB', max_wal_size: '4GB', autovacuum_naptime: '10min' };
const CRDS: Resource = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};
const BINDINGS: Resource = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
};
const Token = z.looseObject({ status: z.looseObject({ token: z.string() }) });

export const KUBELETS = ['kwok', 'simulated'] as const;
/** kwok with the controllers of Kubernetes, or the benchmark in the place of all of them. */
export type Kubelet = (typeof KUBELETS)[number];

/** A real API server and a real PostgreSQL. */
export interface FleetWorld {
  readonly api: ApiServerHandle;
  /** Of an administrator; it has no rate limit worth the name. */
  readonly client: KubeClient;
  readonly postgres: PostgresAddress;
  readonly folder: string;
  /** What a pod finds mounted of its service account. */
  readonly mount: string;
  /** The servers whose CPU time is told, by name. */
  readonly servers: Readonly<Record<string, Root>>;
  /** undefined: the benchmark plays its part. */
  readonly kwok: Kwok | undefined;
  /** Sessions that PostgreSQL has opened so far. */
  sessions(): Promise<number>;
  dispose(): Promise<void>;
}

export async function startWorld(count: number, kubelet: Kubelet): Promise<FleetWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'matrix-operator-fleet-'));
  const programs = kubelet === 'kwok' ? await kwokPrograms() : undefined;
  const [api, postgres] = await Promise.all([startApiServer(programs), startPostgres({ settings: POSTGRES })]);
  const rate = { perSecond: 5000, burst: 5000 };
  const client = createKubeClient({ kubeconfig: api.kubeconfigPath, userAgent: MANAGER, rate });
  await client.create(CRDS, buildCrd(), MANAGER);
  await waitFor(() => client.list(KINDS.homeserver).then(() => true), { what: 'the CRD to be served' });
  const mount = await makeOperatorHome(api, client, join(folder, 'mount'));
  await makeNamespaces(client, postgres.address, count);
  const kwok = kubelet === 'kwok' ? await startKwok(api, client, folder) : undefined;
  const servers = {
    'API server': ['kube-apiserver', api.logDir],
    etcd: ['etcd', `--data-dir=${api.logDir}`],
    PostgreSQL: postgres.pid,
    ...kwok?.servers,
  };
  return {
    ...{ api, client, folder, mount, servers, kwok, postgres: postgres.address },
    sessions: () => countSessions(postgres.address),
    async dispose() {
      await client.close();
      await kwok?.stop();
      await Promise.all([api.dispose(), postgres.stop('immediate')]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Namespace and service account of the operator, with every right, so that it works as in a pod. */
async function makeOperatorHome(api: ApiServerHandle, client: KubeClient, mount: string): Promise<string> {
  const account = { namespace: HOME, name: 'matrix-operator' };
  await client.create(KINDS.namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: HOME } }, MANAGER);
  const { apiVersion, kind } = KINDS.serviceAccount;
  await client.create(KINDS.serviceAccount, { apiVersion, kind, metadata: account }, MANAGER);
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
  const subjects = [{ kind: 'ServiceAccount', ...account }];
  const metadata = { name: 'matrix-operator' };
  const binding = { apiVersion: BINDINGS.apiVersion, kind: BINDINGS.kind, metadata, roleRef, subjects };
  await client.create(BINDINGS, binding, MANAGER);
  const path = `/api/v1/namespaces/${HOME}/serviceaccounts/${account.name}/token`;
  const spec = { expirationSeconds: 86_400 };
  const wanted = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
  const { token } = Token.parse(JSON.parse((await apiRequest(api, 'POST', path, wanted)).body)).status;
  await mkdir(mount);
  await writeFile(join(mount, 'token'), token, { mode: 0o600 });
  await writeFile(join(mount, 'ca.crt'), api.credential.ca);
  return mount;
}

async function makeNamespaces(client: KubeClient, address: PostgresAddress, count: number): Promise<void> {
  const { username, password } = address;
  for (let i = 0; i < count; i += PER_NAMESPACE) {
    const { namespace } = nameOf(i);
    await client.create(
      KINDS.namespace,
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
      MANAGER,
    );
    const metadata = { namespace, name: 'pg-admin', labels: { 'matrix-operator.dev/watch': 'true' } };
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { username, password } };
    await client.create(KINDS.secret, secret, MANAGER);
  }
}

async function countSessions({ host, port, username, password }: PostgresAddress): Promise<number> {
  const session = new pg.Client({ host, port, user: username, password, database: 'postgres' });
  await session.connect();
  try {
    const { rows } = await session.query('select sum(sessions)::float8 as sum from pg_stat_database');
    return z.object({ sum: z.number() }).parse(rows[0]).sum;
  } finally {
    await session.end();
  }
}

export function nameOf(index: number): { namespace: string; name: string } {
  const name = `hs-${String(index).padStart(4, '0')}`;
  return { namespace: `fleet-${Math.floor(index / PER_NAMESPACE)}`, name };
}

/** The resource with that number; `spec` beside the least it needs. */
export function homeserver(index: number, to: { host: string; port: number }, spec: object = {}): Manifest {
  const { namespace, name } = nameOf(index);
  const server = { host: to.host, port: to.port, adminSecretRef: { name: 'pg-admin' } };
  const { apiVersion, kind } = KINDS.homeserver;
  const base = { serverName: `${name}.example`, database: { server, tls: { mode: 'Disable' }, poolSize: 4 } };
  return { apiVersion, kind, metadata: { namespace, name }, spec: { ...base, ...spec } };
}

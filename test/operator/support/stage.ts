import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import * as z from 'zod';
import { MatrixHomeserver } from '../../../operator/api/matrix-homeserver.ts';
import { createLog } from '../../../operator/log.ts';
import type { Metrics } from '../../../operator/metrics.ts';
import { createMetrics } from '../../../operator/metrics.ts';
import { KINDS, OWNED_KINDS } from '../../../operator/reconcile/kinds.ts';
import type { Ending, OperatorOptions } from '../../../operator/reconcile/operator.ts';
import { startOperator } from '../../../operator/reconcile/operator.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import { createKubeClient } from '../../../operator/runtime/kube-client.ts';
import { isNotFound } from '../../../operator/runtime/kube-error.ts';
import type { KubeObject, Manifest, ObjectName, Resource } from '../../../operator/runtime/kube-object.ts';
import type { Catalogue } from '../../../operator/upgrades/catalogue.ts';
import type { ApiServer, ApiServerHandle } from '../../cluster/api-server.ts';
import { startApiServer } from '../../cluster/api-server.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type Actors, startActors } from './actors.ts';
import { installCrd, takeApiServer } from './api-servers.ts';
import { FIRST_CATALOGUE } from './test-programs.ts';
import { WatchedHomeservers } from './watched-homeservers.ts';

const TEST_MANAGER = 'test';
const NAMESPACE_KIND: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };

/** Every kind of object that the operator may leave in a namespace. */
const CHILD_KINDS: readonly Resource[] = [...Object.values(OWNED_KINDS), KINDS.configMap, KINDS.secret];

export interface RunningOperator {
  readonly metrics: Metrics;
  /** Everything it logged, one JSON object a line. */
  readonly lines: string[];
  /** What its health port answers. */
  health(path: string): Promise<{ status: number; text: string }>;
  stop(): Promise<Ending>;
}

export interface StartOptions {
  readonly kubeconfig?: string;
  /** Wall clock of the operator, Unix ms. */
  readonly now?: () => number;
  /** Its clock that does not jump, ms. */
  readonly clock?: () => number;
  readonly watchTiming?: OperatorOptions['watchTiming'];
  readonly requestTimeoutMs?: number;
  readonly leaderElection?: boolean;
  readonly catalogue?: Catalogue;
  readonly homeserverImage?: string;
  readonly maxConcurrentUpgrades?: number;
  readonly operatorVersion?: string;
  /** Of the operator itself. */
  readonly namespace?: string;
  /** Name of the chart's release. */
  readonly release?: string;
  readonly watchNamespaces?: readonly string[];
  readonly secretNamespaces?: readonly string[] | 'all';
  /** Absent: servers are not looked at from outside. */
  readonly federationCheck?: OperatorOptions['federationCheck'];
  /** [1] Shortens the waits of a key rotation. */
  readonly keyWaitDivisor?: number;
}

/** A real API server with the CRD, the run's PostgreSQL, and stand-ins for the controllers and nodes that are not there. */
export interface Stage {
  readonly api: ApiServer;
  readonly client: KubeClient;
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    readonly username: string;
    readonly password: string;
  };
  readonly actors: Actors;
  readonly homeservers: WatchedHomeservers;
  /** A namespace of its own with the Secret `pg-admin`. */
  namespace(): Promise<string>;
  startOperator(options?: StartOptions): Promise<RunningOperator>;
  /** A query on the maintenance database, or on `database`, as superuser. */
  sql(text: string, values?: unknown[], database?: string): Promise<Record<string, unknown>[]>;
  /** A session of its own; the test ends it. */
  connect(as: { username: string; password: string; database: string }): Promise<pg.Client>;
  dispose(): Promise<void>;
}

/** A stage whose API server no other file has, so that it may be stopped. */
export interface OwnStage extends Stage {
  readonly api: ApiServerHandle;
}

/** On the API server of this worker, which holds nothing of those who had it before. One at a time. */
export async function openStage(): Promise<Stage> {
  return openOn(await takeApiServer(), () => Promise.resolve());
}

export async function openOwnStage(): Promise<OwnStage> {
  const api = await startApiServer();
  await installCrd(api);
  return openOn(api, api.dispose);
}

function openOn<A extends ApiServer>(api: A, end: () => Promise<void>): Stage & { readonly api: A } {
  const client = createKubeClient({ kubeconfig: api.kubeconfigPath, userAgent: 'test' });
  const postgres = inject('postgres');
  const actors = startActors(client);
  const homeservers = new WatchedHomeservers(client);
  const running: RunningOperator[] = [];
  return {
    api,
    client,
    postgres,
    actors,
    homeservers,
    namespace: () => makeNamespace(client, postgres),
    async startOperator(options = {}) {
      const operator = await runOperator(options.kubeconfig ?? api.kubeconfigPath, options);
      running.push(operator);
      return operator;
    },
    sql: (text, values = [], database = 'postgres') => query(postgres, { text, values, database }),
    connect: (as) => connect({ ...postgres, ...as }),
    async dispose() {
      await Promise.all(running.map((operator) => operator.stop()));
      await Promise.all([actors.stop(), homeservers.stop()]);
      await client.close();
      await end();
    },
  };
}

async function makeNamespace(client: KubeClient, postgres: Stage['postgres']): Promise<string> {
  const name = `t-${randomBytes(4).toString('hex')}`;
  await client.create(NAMESPACE_KIND, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, TEST_MANAGER);
  const { username, password } = postgres;
  await writeSecret(client, { namespace: name, name: 'pg-admin' }, { username, password });
  return name;
}

/** Makes or replaces the values of a Secret of a user. */
export async function writeSecret(
  client: KubeClient,
  name: { namespace: string; name: string },
  stringData: Record<string, string>,
): Promise<void> {
  const metadata = { ...name, labels: { 'matrix-operator.dev/watch': 'true' } };
  await client.apply(KINDS.secret, { apiVersion: 'v1', kind: 'Secret', metadata, stringData }, TEST_MANAGER);
}

async function runOperator(kubeconfig: string, options: StartOptions): Promise<RunningOperator> {
  const lines: string[] = [];
  const metrics = createMetrics();
  const client = createKubeClient({
    kubeconfig,
    userAgent: 'matrix-operator/test',
    onRequest: ({ verb, kind, status }) => metrics.apiRequests.inc({ verb, kind, code: String(status) }),
    ...(options.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: options.requestTimeoutMs }),
  });
  const leaseClient =
    options.leaderElection === true
      ? createKubeClient({ kubeconfig, userAgent: 'matrix-operator/test', requestTimeoutMs: 3000 })
      : undefined;
  const stop = new AbortController();
  const operator = await startOperator(
    {
      client,
      metrics,
      log: createLog('debug', { write: (line) => lines.push(line) }),
      settings: {
        clusterName: 'test',
        homeserverImage: options.homeserverImage ?? 'localhost/matrix-operator:test',
        operatorVersion: options.operatorVersion ?? '0.1.0',
        serviceAccount: { namespace: options.namespace ?? 'default', name: options.release ?? 'matrix-operator' },
        tenantRole: `${options.release ?? 'matrix-operator'}-tenant`,
        probeServices: false,
        keyWaitDivisor: options.keyWaitDivisor ?? 1,
        catalogue: options.catalogue ?? FIRST_CATALOGUE,
        maxConcurrentUpgrades: options.maxConcurrentUpgrades ?? 5,
        upgradeTimes: { minReadySeconds: 1, goodSeconds: 1, rolloutSeconds: 600 },
      },
      watchNamespaces: options.watchNamespaces ?? [],
      secretNamespaces: options.secretNamespaces ?? 'all',
      federationCheck: options.federationCheck,
      leaseClient,
      podName: 'test',
      health: { host: '127.0.0.1', port: 0 },
      discovery: { everyMs: 500, leastMs: 100 },
      now: options.now ?? Date.now,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      ...(options.watchTiming === undefined ? {} : { watchTiming: options.watchTiming }),
    },
    stop.signal,
  );
  return {
    metrics,
    lines,
    async health(path) {
      const answer = await fetch(`http://127.0.0.1:${operator.healthPort}${path}`);
      return { status: answer.status, text: await answer.text() };
    },
    async stop() {
      stop.abort();
      const ending = await operator.ended;
      await Promise.all([client.close(), leaseClient?.close()]);
      return ending;
    },
  };
}

async function connect(as: Stage['postgres'] & { database: string }): Promise<pg.Client> {
  const { host, port, username, password, database } = as;
  const client = new pg.Client({ host, port, user: username, password, database });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function query(
  postgres: Stage['postgres'],
  { text, values, database }: { text: string; values: unknown[]; database: string },
): Promise<Record<string, unknown>[]> {
  const client = await connect({ ...postgres, database });
  try {
    return z.array(z.record(z.string(), z.unknown())).parse((await client.query(text, values)).rows);
  } finally {
    await client.end();
  }
}

/** The least that a resource needs. */
export function homeserverManifest(stage: Pick<Stage, 'postgres'>, namespace: string, spec: object = {}): Manifest {
  const { host, port } = stage.postgres;
  return {
    apiVersion: 'matrix-operator.dev/v1alpha1',
    kind: 'MatrixHomeserver',
    metadata: { namespace, name: 'chat' },
    spec: {
      serverName: `${namespace}.example`,
      database: { server: { host, port, adminSecretRef: { name: 'pg-admin' } }, tls: { mode: 'Disable' } },
      ...spec,
    },
  };
}

export async function applyHomeserver(stage: Stage, namespace: string, spec: object = {}): Promise<void> {
  await stage.client.apply(KINDS.homeserver, homeserverManifest(stage, namespace, spec), 'user');
}

export async function readHomeserver(stage: Stage, namespace: string, name = 'chat'): Promise<MatrixHomeserver> {
  return MatrixHomeserver.parse(await stage.client.get(KINDS.homeserver, { namespace, name }));
}

export function conditionOf(view: MatrixHomeserver, type: string) {
  return view.status.conditions.find((condition) => condition.type === type);
}

/** Waits until a condition of this generation has the status, and the reason if one is given. */
export async function waitCondition(
  stage: Stage,
  namespace: string,
  wanted: { type: string; status: string; reason?: string; timeoutMs?: number },
): Promise<MatrixHomeserver> {
  const look = changesOf(stage, { namespace, name: 'chat' });
  let last = '';
  try {
    return await waitFor(
      async () => {
        const object = await look();
        if (object === undefined) return undefined;
        const view = MatrixHomeserver.parse(object);
        last = view.status.conditions.map((c) => `${c.type}=${c.status} ${c.reason}: ${c.message}`).join('\n  ');
        const found = conditionOf(view, wanted.type);
        const isCurrent = view.status.observedGeneration === view.metadata.generation;
        const isWanted = found?.status === wanted.status && (wanted.reason ?? found.reason) === found.reason;
        return isCurrent && isWanted ? view : undefined;
      },
      {
        what: `${wanted.type}=${wanted.status} ${wanted.reason ?? ''}`,
        timeoutMs: wanted.timeoutMs ?? 90_000,
        everyMs: LOOK_MS,
      },
    );
  } catch (error) {
    throw new Error(`${String(error)}; last:\n  ${last}`, { cause: error });
  }
}

const LOOK_MS = 10;
const ASK_MS = 1000;

/**
 * A function that gives a homeserver whenever it differs from what it gave before. The first time it is asked for, so that
 * all that was written before is in it; then the watch tells, and once a second it is asked for all the same.
 */
function changesOf({ client, homeservers }: Stage, name: ObjectName): () => Promise<KubeObject | undefined> {
  let version = '';
  let askedAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const isDue = performance.now() - askedAt > ASK_MS;
    if (isDue) askedAt = performance.now();
    const found = isDue ? await client.get(KINDS.homeserver, name) : homeservers.newerThan(name, version);
    version = found?.metadata.resourceVersion ?? version;
    return found;
  };
}

export const waitReady = (stage: Stage, namespace: string, timeoutMs?: number) =>
  waitCondition(stage, namespace, { type: 'Ready', status: 'True', ...(timeoutMs !== undefined && { timeoutMs }) });

/** All objects of a namespace that carry our label, by kind and name. */
export async function listChildren(stage: Stage, namespace: string): Promise<Map<string, KubeObject>> {
  const lists = CHILD_KINDS.map(async (resource) => {
    const items = await listLabelled(stage, resource, namespace);
    return items.map((item): [string, KubeObject] => [`${resource.kind}/${item.metadata.name}`, item]);
  });
  return new Map((await Promise.all(lists)).flat());
}

/** Nothing where the cluster lacks the kind. */
async function listLabelled(stage: Stage, resource: Resource, namespace: string): Promise<readonly KubeObject[]> {
  try {
    const labelSelector = 'matrix-operator.dev/homeserver';
    return (await stage.client.list(resource, { namespace, labelSelector })).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

/**
 * What the garbage collector does after the resource with this uid has gone, until just `kept` is left. It looks again
 * and again, as Kubernetes' collector does: a run that was under way may still write a child after the first look.
 */
export async function collectGarbage(
  stage: Stage,
  namespace: string,
  ownerUid: string,
  kept: readonly string[],
): Promise<void> {
  const wanted = sorted(kept).join();
  await waitFor(
    async () => {
      await deleteOwnedBy(stage, namespace, ownerUid);
      const left = sorted((await listChildren(stage, namespace)).keys()).join();
      if (left !== wanted) throw new Error(`left: ${left}`);
      return true;
    },
    { what: `just ${wanted} to be left in ${namespace}` },
  );
}

async function deleteOwnedBy(stage: Stage, namespace: string, ownerUid: string): Promise<void> {
  for (const [key, object] of await listChildren(stage, namespace)) {
    if (object.metadata.ownerReferences?.some(({ uid }) => uid === ownerUid) !== true) continue;
    const resource = CHILD_KINDS.find(({ kind }) => key.startsWith(`${kind}/`));
    if (resource === undefined) continue;
    await stage.client.delete(resource, { namespace, name: object.metadata.name }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}

/** In code point order, for comparisons. */
export function sorted(texts: Iterable<string>): string[] {
  return [...texts].sort((a, b) => (a < b ? -1 : 1));
}

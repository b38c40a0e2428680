import pg from 'pg';
import { z } from 'zod';
import { HOMESERVER_LABEL } from '../../../operator/resources/labels.ts';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import { readSecret } from '../../../operator/reconcile/secret-data.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import { isConflict } from '../../../operator/runtime/kube-error.ts';
import type { KubeObject, Resource } from '../../../operator/runtime/kube-object.ts';
import { objectKey } from '../../../operator/runtime/kube-object.ts';
import { createReflector } from '../../../operator/runtime/reflector.ts';
import { runJob } from '../../operator/support/run-job.ts';
import { OWN_PROGRAM } from '../../operator/support/test-programs.ts';
import { type Kwok, PROGRAM_LABEL } from './kwok.ts';

const AT_ONCE = 4;
const PODS: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const Pod = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
  status: z.looseObject({ phase: z.string().default('Pending') }),
});
const Replicas = z.looseObject({ spec: z.looseObject({ replicas: z.int() }) });
/** A status is written again when somebody else wrote in between. */
const TRIES = 5;
/** Alive for the whole run: nobody repeats a heartbeat for a thousand servers. */
const REPORT = `insert into ops.replica
  (id, software_version, schema_level, keyring_generation, clock, heartbeat, backend_tag)
  select 'bench-' || n, $2, $3, 1000, t, t, 'bench'
  from generate_series(1, $1) n, (select extract(epoch from now()) * 1000 + 86400000 as t) clock`;

/** The programs in pods: Jobs really migrate their database, replicas really report to it. */
export interface Programs {
  /** Jobs that have ended. */
  readonly migrated: () => number;
  /** Lets pods run; until then they wait, as they would for nodes or images. */
  schedule(): Promise<void>;
  stop(): Promise<void>;
}

type Act = (object: KubeObject) => Promise<void>;

/** Acts once for each state of each object, a few at once. */
function actors(client: KubeClient) {
  const stop = new AbortController();
  const run = createLimit(AT_ONCE);
  const watches: Promise<void>[] = [];
  const { promise: scheduled, resolve: schedule } = Promise.withResolvers<void>();
  const onError = (resource: Resource, key: string) => (error: unknown) => {
    if (!stop.signal.aborted) process.stderr.write(`${resource.kind} ${key}: ${String(error)}\n`);
  };
  const watch = (resource: Resource, stateOf: (object: KubeObject) => string, act: Act) => {
    const started = new Set<string>();
    const reflector = createReflector<KubeObject>({
      client,
      resource,
      labelSelector: HOMESERVER_LABEL,
      keep: (object) => object,
      keysOf: ({ metadata }) => [objectKey(metadata)],
      onKey: (key) => {
        const object = reflector.get(key);
        const state = `${object?.metadata.uid ?? ''} ${object === undefined ? '' : stateOf(object)}`;
        if (object === undefined || started.has(state)) return;
        started.add(state);
        scheduled.then(() => run(() => act(object))).catch(onError(resource, key));
      },
    });
    watches.push(reflector.run(stop.signal));
  };
  return {
    watch,
    schedule,
    async stop() {
      stop.abort();
      await Promise.all(watches);
    },
  };
}

/** Plays the controllers of Jobs and Deployments too. */
export function playControllers(client: KubeClient): Programs {
  const { watch, schedule, stop } = actors(client);
  const ended = new Set<string>();
  const reported = new Set<string>();
  const generation = ({ metadata }: KubeObject) => String(metadata.generation ?? 0);
  watch(KINDS.job, generation, async (job) => {
    if (ended.has(job.metadata.uid)) return;
    await endJob(client, job);
    ended.add(job.metadata.uid);
  });
  watch(KINDS.deployment, generation, async (deployment) => {
    // A replica reports before it is ready.
    if (!reported.has(deployment.metadata.uid)) await report(client, deployment);
    reported.add(deployment.metadata.uid);
    await rollOut(client, deployment);
  });
  return { migrated: () => ended.size, schedule: async () => schedule(), stop };
}

/** Does the work of the programs in pods that kwok says are running, and then tells it, by a label, that it is done. */
export function playPrograms(client: KubeClient, kwok: Kwok): Programs {
  const { watch, schedule, stop } = actors(client);
  const ended = new Set<string>();
  const phase = (pod: KubeObject) => Pod.parse(pod).status.phase;
  watch(PODS, phase, async (pod) => {
    if (phase(pod) !== 'Running') return;
    const { name, namespace } = pod.metadata;
    const { labels } = Pod.parse(pod).metadata;
    const job = labels['job-name'];
    if (job === undefined)
      await report(client, await found(client, KINDS.deployment, namespace, labels[HOMESERVER_LABEL]));
    else await migrateFor(client, await found(client, KINDS.job, namespace, job));
    const path = `/metadata/labels/${PROGRAM_LABEL.replaceAll('/', '~1')}`;
    await client.patch(PODS, { namespace, name }, [{ op: 'add', path, value: 'done' }], 'bench-programs');
    if (job !== undefined) ended.add(pod.metadata.uid);
  });
  return { migrated: () => ended.size, schedule: () => kwok.addNode().then(schedule), stop };
}

async function found(client: KubeClient, resource: Resource, namespace = '', name = ''): Promise<KubeObject> {
  const object = await client.get(resource, { namespace, name });
  if (object === undefined) throw new Error(`there is no ${resource.kind} ${namespace}/${name}`);
  return object;
}

async function migrateFor(client: KubeClient, job: KubeObject): Promise<void> {
  const exitCode = await runJob(client, job, OWN_PROGRAM);
  if (exitCode !== 0) throw new Error(`its program ended with ${exitCode}`);
}

async function endJob(client: KubeClient, job: KubeObject): Promise<void> {
  await migrateFor(client, job);
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const conditions = ['SuccessCriteriaMet', 'Complete'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: now,
  }));
  await writeStatus(client, KINDS.job, job, { conditions, succeeded: 1, startTime: now, completionTime: now });
}

async function rollOut(client: KubeClient, deployment: KubeObject): Promise<void> {
  const { replicas } = Replicas.parse(deployment).spec;
  const counts = { replicas, updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas };
  const { generation } = deployment.metadata;
  await writeStatus(client, KINDS.deployment, deployment, { observedGeneration: generation, ...counts });
}

async function writeStatus(client: KubeClient, resource: Resource, object: KubeObject, status: object): Promise<void> {
  const { name, namespace } = object.metadata;
  for (let i = 1; ; i += 1) {
    const resourceVersion = (await client.get(resource, { namespace, name }))?.metadata.resourceVersion;
    if (resourceVersion === undefined) return;
    try {
      await client.applyStatus(resource, { name, namespace, resourceVersion, status }, 'bench-controllers');
      return;
    } catch (error) {
      if (!isConflict(error) || i === TRIES) throw error;
    }
  }
}

async function report(client: KubeClient, deployment: KubeObject): Promise<void> {
  const { namespace = '', name } = deployment.metadata;
  const secret = await readSecret(client, { namespace, name: `${name}-db` });
  const { host = '', port, username, password, dbname } = secret?.values ?? {};
  const session = new pg.Client({ host, port: Number(port), user: username, password, database: dbname });
  session.on('error', () => undefined);
  await session.connect();
  try {
    const { version, level } = OWN_PROGRAM;
    await session.query(REPORT, [Replicas.parse(deployment).spec.replicas, version, level]);
  } finally {
    await session.end();
  }
}

/** Runs so many at once, the rest in order. */
function createLimit(most: number) {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work: () => Promise<void>): Promise<void> => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      await work();
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { parse } from 'yaml';
import * as z from 'zod';
import { verify } from '../../../homeserver/backup/verify.ts';
import { ExpectedProgram } from '../../../homeserver/contract/expected-program.ts';
import { HomeserverConfig } from '../../../homeserver/contract/config-schema.ts';
import { KeyringFile } from '../../../homeserver/contract/keyring-file.ts';
import { createLogger } from '../../../homeserver/log.ts';
import { migrate } from '../../../homeserver/storage/migrate.ts';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import type { TestProgram } from './test-programs.ts';
import { programOf } from './test-programs.ts';
import { decodeSecret } from '../../../operator/reconcile/secret-data.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import type { KubeObject } from '../../../operator/runtime/kube-object.ts';
import { runProgram } from './run-program.ts';

const EVERY_MS = 50;

const Volumes = z.array(
  z.looseObject({
    name: z.string(),
    configMap: z.looseObject({ name: z.string() }).optional(),
    projected: z
      .looseObject({ sources: z.array(z.looseObject({ secret: z.looseObject({ name: z.string() }).optional() })) })
      .optional(),
    secret: z.looseObject({ secretName: z.string() }).optional(),
  }),
);

const Workload = z.looseObject({
  spec: z.looseObject({
    replicas: z.int().default(1),
    template: z.looseObject({
      spec: z.looseObject({
        volumes: Volumes,
        containers: z
          .array(z.looseObject({ name: z.string(), image: z.string(), args: z.array(z.string()).default([]) }))
          .min(1),
      }),
    }),
  }),
  status: z
    .looseObject({
      observedGeneration: z.int().optional(),
      readyReplicas: z.int().default(0),
      conditions: z.array(z.looseObject({ type: z.string() })).default([]),
    })
    .prefault({}),
});

/** How the stand-ins behave; tests change the fields. */
export interface Behaviour {
  /** Jobs end, Deployments roll. */
  runsPods: boolean;
  /** Exit code of migration Jobs in place of running them. */
  failJobsWith: number | undefined;
  /** Namespaces whose Deployments the test plays itself. */
  readonly leaves: Set<string>;
  /** The stand-ins report replicas that are not there; false where a test runs real ones. */
  fakesReplicas: boolean;
  /** Kind of the Jobs that this is about: migrate, preflight, verify or contract. */
  failJobsOf: string;
  /** Jobs of this kind stay at work. */
  hangJobsOf: string | undefined;
  /** Deployments never get a ready pod and run into their deadline. */
  failRollouts: boolean;
  /** Ingresses get an address, HTTPRoutes are accepted by their Gateways. */
  servesRoutes: boolean;
}

export interface Actors {
  readonly behaviour: Behaviour;
  /** Names of all Jobs that ran. */
  readonly jobsRun: string[];
  stop(): Promise<void>;
}

/**
 * Stands in for the Job and Deployment controllers and the nodes: a Job really migrates the database with what its
 * pod would mount, a Deployment's replicas really report themselves to it.
 */
export function startActors(client: KubeClient): Actors {
  const behaviour: Behaviour = {
    runsPods: true,
    failJobsWith: undefined,
    fakesReplicas: true,
    failJobsOf: 'migrate',
    hangJobsOf: undefined,
    failRollouts: false,
    servesRoutes: false,
    leaves: new Set(),
  };
  const jobsRun: string[] = [];
  const sessions = new Map<string, PodSession>();
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      if (behaviour.runsPods) await playOnce({ client, behaviour, jobsRun, sessions }).catch(() => undefined);
      await pause(EVERY_MS);
    }
    await Promise.all([...sessions.values()].map(({ session }) => session.end()));
  };
  const ended = loop();
  return {
    behaviour,
    jobsRun,
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

interface Play {
  readonly client: KubeClient;
  readonly behaviour: Behaviour;
  readonly jobsRun: string[];
  readonly sessions: Map<string, PodSession>;
}

async function playOnce({ client, behaviour, jobsRun, sessions }: Play): Promise<void> {
  const labelSelector = 'matrix-operator.dev/homeserver';
  if (behaviour.servesRoutes) await playRoutes(client).catch(() => undefined);
  for (const job of (await client.list(KINDS.job, { labelSelector })).items) {
    await playJob(client, job, behaviour, jobsRun).catch(() => undefined);
  }
  const deployments = (await client.list(KINDS.deployment, { labelSelector })).items;
  const played = deployments.filter(({ metadata }) => !behaviour.leaves.has(metadata.namespace ?? ''));
  for (const deployment of played) {
    await playDeployment(client, sessions, { deployment, behaviour }).catch(() => undefined);
  }
  for (const [uid, { session }] of sessions) {
    if (!played.some(({ metadata }) => metadata.uid === uid)) await session.end();
  }
}

async function playRoutes(client: KubeClient): Promise<void> {
  const labelSelector = 'matrix-operator.dev/homeserver';
  for (const { metadata } of (await client.list(KINDS.ingress, { labelSelector })).items) {
    await client.applyStatus(KINDS.ingress, { ...metadata, status: SERVED_INGRESS }, 'stand-in');
  }
  for (const route of (await client.list(KINDS.httpRoute, { labelSelector })).items) {
    const { parentRefs } = z.looseObject({ parentRefs: z.array(z.looseObject({})) }).parse(route['spec']);
    const condition = { ...ACCEPTED, observedGeneration: route.metadata.generation };
    const parents = parentRefs.map((parentRef) => ({ parentRef, controllerName: 'x.org/y', conditions: [condition] }));
    await client.applyStatus(KINDS.httpRoute, { ...route.metadata, status: { parents } }, 'stand-in');
  }
}

const SERVED_INGRESS = { loadBalancer: { ingress: [{ hostname: 'ingress.example' }] } };
const ACCEPTED = {
  type: 'Accepted',
  status: 'True',
  reason: 'Accepted',
  message: '',
  lastTransitionTime: '2026-11-01T00:00:00Z',
};

async function playJob(client: KubeClient, job: KubeObject, behaviour: Behaviour, jobsRun: string[]): Promise<void> {
  const { status } = Workload.parse(job);
  if (status.conditions.length > 0 || job.metadata.deletionTimestamp !== undefined) return;
  const { name } = podOf(job);
  if (behaviour.hangJobsOf === name) return;
  const fails = behaviour.failJobsOf === name ? behaviour.failJobsWith : undefined;
  const exitCode = fails ?? (await runJob(client, job));
  jobsRun.push(job.metadata.name);
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const message = `Container ${name} for pod x/y failed with exit code ${exitCode} matching FailJob rule at index 0`;
  const conditions =
    exitCode === 0
      ? ['SuccessCriteriaMet', 'Complete'].map((type) => ({ type, status: 'True', lastTransitionTime: now }))
      : ['FailureTarget', 'Failed'].map((type) => ({
          type,
          status: 'True',
          lastTransitionTime: now,
          reason: 'PodFailurePolicy',
          message,
        }));
  const result =
    exitCode === 0
      ? { conditions, succeeded: 1, completionTime: now, startTime: now }
      : { conditions, failed: 1, startTime: now };
  await writeStatus(client, job, 'job', result);
}

async function playDeployment(
  client: KubeClient,
  sessions: Map<string, PodSession>,
  { deployment, behaviour }: { deployment: KubeObject; behaviour: Behaviour },
): Promise<void> {
  const { spec, status } = Workload.parse(deployment);
  const { generation } = deployment.metadata;
  const isHomeserver = deployment.metadata.labels?.['app.kubernetes.io/component'] !== 'element-web';
  const isReported = behaviour.fakesReplicas && isHomeserver && !behaviour.failRollouts;
  const isOpen = !isReported || (await reportReplicas(client, sessions, { deployment, count: spec.replicas }));
  const isUp = isOpen && !behaviour.failRollouts;
  const ready = isUp ? spec.replicas : 0;
  if (status.observedGeneration === generation && status.readyReplicas === ready) return;
  const deadline = {
    type: 'Progressing',
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
    message: 'ReplicaSet has timed out progressing.',
  };
  await writeStatus(client, deployment, 'deployment', {
    observedGeneration: generation,
    replicas: spec.replicas,
    updatedReplicas: spec.replicas,
    readyReplicas: ready,
    availableReplicas: ready,
    conditions: isUp ? [] : [deadline],
  });
}

async function writeStatus(
  client: KubeClient,
  object: KubeObject,
  kind: 'job' | 'deployment',
  status: object,
): Promise<void> {
  const { name, namespace, resourceVersion } = object.metadata;
  await client.applyStatus(KINDS[kind], { name, namespace, resourceVersion, status }, 'stand-in');
}

/** The `db/` files that a pod would mount, and its configuration. */
export async function mounts(client: KubeClient, workload: KubeObject) {
  const { namespace = '' } = workload.metadata;
  const { volumes } = Workload.parse(workload).spec.template.spec;
  const configName = volumes.find(({ name }) => name === 'config')?.configMap?.name ?? '';
  const databaseName = volumes.find(({ name }) => name === 'db')?.projected?.sources[0]?.secret?.name ?? '';
  const keyringName = volumes.find(({ name }) => name === 'keyring')?.secret?.secretName ?? '';
  const configMap = await client.get(KINDS.configMap, { namespace, name: configName });
  const database = await client.get(KINDS.secret, { namespace, name: databaseName });
  const keyring = await client.get(KINDS.secret, { namespace, name: keyringName });
  if (configMap === undefined || database === undefined || keyring === undefined) throw new Error('a mount is missing');
  const { data } = z.looseObject({ data: z.record(z.string(), z.string()) }).parse(configMap);
  const config = HomeserverConfig.parse(parse(data['homeserver.yaml'] ?? ''));
  const keyringFile = KeyringFile.parse(JSON.parse(decodeSecret(keyring).values['keyring.json'] ?? ''));
  return { config, database: decodeSecret(database).values, keyring: keyringFile };
}

/** The first container of the pods of a workload. */
export function podOf(workload: KubeObject): { name: string; image: string; args: string[] } {
  const [container] = Workload.parse(workload).spec.template.spec.containers;
  if (container === undefined) throw new Error('a pod without a container');
  return { name: container.name, image: container.image, args: container.args };
}

/** What upgrades run runs in this process, which is quicker; everything else as the program that its pod would run. */
export function runJob(client: KubeClient, job: KubeObject): Promise<number> {
  const { image, args } = podOf(job);
  const [, command] = args;
  if (command === 'migrate') return inMounts(client, job, (pod) => runMigration(pod, programOf(image), args));
  if (command === 'verify') return inMounts(client, job, runVerify);
  return runProgram(client, job);
}

type MountedConfig = Pick<HomeserverConfig, 'serverName' | 'database'>;

/** Runs `work` with the database of a pod, its files in a folder of their own. */
async function inMounts(
  client: KubeClient,
  job: KubeObject,
  work: (pod: MountedConfig) => Promise<number>,
): Promise<number> {
  const { config, database } = await mounts(client, job);
  const directory = await mkdtemp(join(tmpdir(), 'matrix-operator-job-'));
  try {
    for (const [file, text] of Object.entries(database)) await writeFile(join(directory, file), text);
    return await work({ serverName: config.serverName, database: { ...config.database, directory } });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Runs `migrate PHASE --json --expect JSON` as the container would. */
async function runMigration(pod: MountedConfig, program: TestProgram, args: readonly string[]): Promise<number> {
  const [, , phase = '', , , expected = ''] = args;
  const result = await migrate(z.enum(['plan', 'expand', 'contract']).parse(phase), {
    ...pod,
    softwareVersion: program.version,
    expected: ExpectedProgram.parse(JSON.parse(expected)),
    program,
    log: createLogger({ level: 'silent' }),
  });
  return result.exitCode;
}

/** Runs `verify` as the container would. */
async function runVerify({ serverName, database }: MountedConfig): Promise<number> {
  const connection = { database, applicationName: 'homeserver-verify' };
  const { whole } = await verify({ connection, serverName, sample: 1000, timeLimitMs: 60_000 });
  return whole ? 0 : 1;
}

const WINDOW = 'select from ops.schema_state where compat_version <= $1 and $1 <= schema_version for share';
const REPORT = `insert into ops.replica
  (id, software_version, schema_level, keyring_generation, clock, heartbeat, backend_tag)
  select 'stand-in-' || n, $2, $4, $3, extract(epoch from now()) * 1000, extract(epoch from now()) * 1000, 'stand-in'
  from generate_series(1, $1) n`;

/** The session that stands for those of a Deployment's pods; kept as long as its credentials and its Deployment. */
interface PodSession {
  readonly credentials: string;
  readonly session: pg.Client;
}

/** The rows of exactly `count` replicas, alive now. False: the database is not open to them, so they do not start. */
async function reportReplicas(
  client: KubeClient,
  sessions: Map<string, PodSession>,
  { deployment, count }: { deployment: KubeObject; count: number },
): Promise<boolean> {
  const { database, keyring } = await mounts(client, deployment);
  const program = programOf(podOf(deployment).image);
  const session = await podSession(sessions, deployment.metadata.uid, database);
  const { rowCount } = await session.query(WINDOW, [program.level]);
  if (rowCount !== 1) return false;
  await session.query("delete from ops.replica where id like 'stand-in-%'");
  await session.query(REPORT, [count, program.version, keyring.generation, program.level]);
  return true;
}

async function podSession(
  sessions: Map<string, PodSession>,
  uid: string,
  { host = '', port, username, password, dbname }: Readonly<Record<string, string>>,
): Promise<pg.Client> {
  const credentials = JSON.stringify([host, port, username, password, dbname]);
  const open = sessions.get(uid);
  if (open?.credentials === credentials) return open.session;
  const session = new pg.Client({
    host,
    port: Number(port),
    user: username,
    password,
    database: dbname,
    application_name: 'stand-in',
    // A server that hangs must not keep the stand-ins from all others.
    connectionTimeoutMillis: 1000,
    query_timeout: 2000,
  });
  session.on('error', () => undefined);
  session.once('end', () => {
    if (sessions.get(uid)?.session === session) sessions.delete(uid);
  });
  await session.connect();
  sessions.set(uid, { credentials, session });
  await open?.session.end();
  return session;
}

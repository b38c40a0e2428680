import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import { isConflict } from '../../../operator/runtime/kube-error.ts';
import { objectKey } from '../../../operator/runtime/kube-object.ts';
import type { KubeObject, Resource } from '../../../operator/runtime/kube-object.ts';
import type { Reflector } from '../../../operator/runtime/reflector.ts';
import { createReflector } from '../../../operator/runtime/reflector.ts';
import { ReplicaRows } from './replica-rows.ts';
import { runJob } from './run-job.ts';
import { Workload, podOf } from './workload.ts';

/** How often to look at what the watches have brought; nothing is asked for that. */
const EVERY_MS = 20;
/** Where pods cannot start, they are tried again after this. */
const RETRY_MS = 100;
/** How often replicas say that they live. */
const HEARTBEAT_MS = 1000;
const ROUTES_EVERY_MS = 100;
/** Components whose Deployments are no homeservers. */
const BESIDE = ['element-web', 'turn'];
const OURS = 'matrix-operator.dev/homeserver';
const BACKOFF = { minMs: 50, maxMs: 500, jitter: 0.2 };

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
  /** Services of type LoadBalancer get this in their status; undefined: nothing. */
  balancesAt: { ip?: string; hostname?: string } | undefined;
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
    balancesAt: undefined,
    leaves: new Set(),
  };
  const standIns = new StandIns(client, behaviour);
  const stop = new AbortController();
  const ended = standIns.run(stop.signal);
  return {
    behaviour,
    jobsRun: standIns.jobsRun,
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

/** How a Deployment was played last. */
interface Played {
  /** What it was played from. */
  readonly from: string;
  readonly isUp: boolean;
  readonly at: number;
}

class StandIns {
  readonly jobsRun: string[] = [];
  readonly #client: KubeClient;
  readonly #behaviour: Behaviour;
  readonly #jobs: Reflector<KubeObject>;
  readonly #deployments: Reflector<KubeObject>;
  /** What pods mount may change without their Deployment. */
  readonly #secrets: Reflector<KubeObject>;
  readonly #rows: ReplicaRows;
  /** Work under way, by uid. */
  readonly #busy = new Map<string, Promise<void>>();
  readonly #endedJobs = new Set<string>();
  readonly #played = new Map<string, Played>();

  constructor(client: KubeClient, behaviour: Behaviour) {
    this.#client = client;
    this.#behaviour = behaviour;
    this.#jobs = watch(client, KINDS.job);
    this.#deployments = watch(client, KINDS.deployment);
    this.#secrets = watch(client, KINDS.secret);
    this.#rows = new ReplicaRows(client);
  }

  async run(signal: AbortSignal): Promise<void> {
    const watches = [this.#jobs, this.#deployments, this.#secrets].map((one) => one.run(signal));
    while (!signal.aborted) {
      if (this.#behaviour.runsPods) this.#look();
      await pause(EVERY_MS);
    }
    await Promise.all([...watches, ...this.#busy.values()]);
    await this.#rows.endOthers(new Set());
  }

  #look(): void {
    for (const job of this.#jobs.values()) this.#begin(job.metadata.uid, () => this.#playJob(job));
    const { leaves } = this.#behaviour;
    const deployments = this.#deployments.values().filter(({ metadata }) => !leaves.has(metadata.namespace ?? ''));
    for (const deployment of deployments) {
      const { uid } = deployment.metadata;
      const from = this.#inputsOf(deployment);
      if (this.#isDue(uid, from)) this.#begin(uid, () => this.#playDeployment(deployment, from));
    }
    const uids = new Set(deployments.map(({ metadata }) => metadata.uid));
    this.#begin('sessions', () => this.#rows.endOthers(uids));
    if (this.#behaviour.servesRoutes) this.#begin('routes', () => this.#playRoutes());
    const { balancesAt } = this.#behaviour;
    if (balancesAt !== undefined) this.#begin('services', () => this.#playServices(balancesAt));
  }

  /** Unless it is at work already. What fails is tried again at the next look. */
  #begin(key: string, work: () => Promise<void>): void {
    if (this.#busy.has(key)) return;
    const ended = work().catch(() => undefined);
    this.#busy.set(
      key,
      ended.finally(() => this.#busy.delete(key)),
    );
  }

  /** Also where the cluster lacks one of the kinds. */
  async #playRoutes(): Promise<void> {
    await playIngresses(this.#client).catch(() => undefined);
    await playHttpRoutes(this.#client).catch(() => undefined);
    await pause(ROUTES_EVERY_MS);
  }

  async #playServices(at: object): Promise<void> {
    await playServices(this.#client, at).catch(() => undefined);
    await pause(ROUTES_EVERY_MS);
  }

  async #playJob(job: KubeObject): Promise<void> {
    const { uid, name, deletionTimestamp } = job.metadata;
    const { conditions } = Workload.parse(job).status;
    if (conditions.length > 0 || deletionTimestamp !== undefined || this.#endedJobs.has(uid)) return;
    const { name: kind } = podOf(job);
    const { hangJobsOf, failJobsOf, failJobsWith } = this.#behaviour;
    if (hangJobsOf === kind) return;
    const exitCode = (failJobsOf === kind ? failJobsWith : undefined) ?? (await runJob(this.#client, job));
    this.#endedJobs.add(uid);
    this.jobsRun.push(name);
    await endJob(this.#client, job, resultOf(kind, exitCode));
  }

  /** All that decides how a Deployment is played, but for its database. */
  #inputsOf({ metadata }: KubeObject): string {
    const { fakesReplicas, failRollouts } = this.#behaviour;
    const mounted = this.#secrets
      .values()
      .filter((secret) => secret.metadata.namespace === metadata.namespace)
      .map((secret) => secret.metadata.resourceVersion);
    return [metadata.resourceVersion, fakesReplicas, failRollouts, ...mounted].join();
  }

  #isDue(uid: string, from: string): boolean {
    const last = this.#played.get(uid);
    if (last?.from !== from) return true;
    return performance.now() - last.at > (last.isUp ? HEARTBEAT_MS : RETRY_MS);
  }

  async #playDeployment(deployment: KubeObject, from: string): Promise<void> {
    const { uid } = deployment.metadata;
    this.#played.set(uid, { from, isUp: false, at: performance.now() });
    const { spec, status } = Workload.parse(deployment);
    const { generation } = deployment.metadata;
    const { fakesReplicas, failRollouts } = this.#behaviour;
    const isHomeserver = !BESIDE.includes(deployment.metadata.labels?.['app.kubernetes.io/component'] ?? '');
    const isReported = fakesReplicas && isHomeserver && !failRollouts;
    const isOpen = !isReported || (await this.#rows.report(deployment, spec.replicas, from));
    const isUp = isOpen && !failRollouts;
    const ready = isUp ? spec.replicas : 0;
    if (status.observedGeneration !== generation || status.readyReplicas !== ready) {
      await writeStatus(this.#client, KINDS.deployment, deployment, {
        observedGeneration: generation,
        replicas: spec.replicas,
        updatedReplicas: spec.replicas,
        readyReplicas: ready,
        availableReplicas: ready,
        conditions: isUp ? [] : [OVERDUE],
      });
    }
    this.#played.set(uid, { from, isUp, at: performance.now() });
  }
}

const OVERDUE = {
  type: 'Progressing',
  status: 'False',
  reason: 'ProgressDeadlineExceeded',
  message: 'ReplicaSet has timed out progressing.',
};

function watch(client: KubeClient, resource: Resource): Reflector<KubeObject> {
  return createReflector({
    client,
    resource,
    labelSelector: OURS,
    keep: (object) => object,
    keysOf: ({ metadata }) => [objectKey(metadata)],
    onKey: () => undefined,
    timing: { backoff: BACKOFF },
  });
}

/** What the status of a Job says at its end. */
function resultOf(kind: string, exitCode: number): object {
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const told = { status: 'True', lastTransitionTime: now };
  if (exitCode === 0) {
    const conditions = ['SuccessCriteriaMet', 'Complete'].map((type) => ({ type, ...told }));
    return { conditions, succeeded: 1, completionTime: now, startTime: now };
  }
  const message = `Container ${kind} for pod x/y failed with exit code ${exitCode} matching FailJob rule at index 0`;
  const why = { reason: 'PodFailurePolicy', message };
  return {
    conditions: ['FailureTarget', 'Failed'].map((type) => ({ type, ...told, ...why })),
    failed: 1,
    startTime: now,
  };
}

/** Somebody may write the Job while it runs; it may also be gone, or another one by then. */
async function endJob(client: KubeClient, { metadata }: KubeObject, result: object): Promise<void> {
  for (let tries = 0; tries < 10; tries += 1) {
    const found = await client.get(KINDS.job, { namespace: metadata.namespace, name: metadata.name });
    if (found?.metadata.uid !== metadata.uid) return;
    try {
      return await writeStatus(client, KINDS.job, found, result);
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}

async function writeStatus(client: KubeClient, kind: Resource, object: KubeObject, status: object): Promise<void> {
  const { name, namespace, resourceVersion } = object.metadata;
  await client.applyStatus(kind, { name, namespace, resourceVersion, status }, 'stand-in');
}

/** What an ingress controller writes, where it is not written yet. */
async function playIngresses(client: KubeClient): Promise<void> {
  for (const ingress of (await client.list(KINDS.ingress, { labelSelector: OURS })).items) {
    if (JSON.stringify(ingress['status'] ?? {}).includes('ingress.example')) continue;
    await writeStatus(client, KINDS.ingress, ingress, SERVED_INGRESS);
  }
}

/** What makes load balancers writes, where it is not written yet. */
async function playServices(client: KubeClient, at: object): Promise<void> {
  for (const service of (await client.list(KINDS.service, { labelSelector: OURS })).items) {
    if (!JSON.stringify(service['spec']).includes('"LoadBalancer"')) continue;
    const ingress = [at];
    if (JSON.stringify(service['status'] ?? {}).includes(JSON.stringify(at).slice(1, -1))) continue;
    await writeStatus(client, KINDS.service, service, { loadBalancer: { ingress } });
  }
}

/** What a gateway writes, where it is not written yet. */
async function playHttpRoutes(client: KubeClient): Promise<void> {
  for (const route of (await client.list(KINDS.httpRoute, { labelSelector: OURS })).items) {
    const { generation } = route.metadata;
    const { spec, status } = HttpRoute.parse(route);
    const condition = { ...ACCEPTED, observedGeneration: generation };
    const isAccepted = ({ conditions }: Parent) => conditions.some((one) => one.observedGeneration === generation);
    if (status.parents.length === spec.parentRefs.length && status.parents.every(isAccepted)) continue;
    const parents = spec.parentRefs.map((parentRef) => ({
      parentRef,
      controllerName: 'x.org/y',
      conditions: [condition],
    }));
    await writeStatus(client, KINDS.httpRoute, route, { parents });
  }
}

const Parent = z.looseObject({
  conditions: z.array(z.looseObject({ observedGeneration: z.int().optional() })).default([]),
});
type Parent = z.infer<typeof Parent>;
const HttpRoute = z.looseObject({
  spec: z.looseObject({ parentRefs: z.array(z.looseObject({})) }),
  status: z.looseObject({ parents: z.array(Parent).default([]) }).prefault({}),
});

const SERVED_INGRESS = { loadBalancer: { ingress: [{ hostname: 'ingress.example' }] } };
const ACCEPTED = {
  type: 'Accepted',
  status: 'True',
  reason: 'Accepted',
  message: '',
  lastTransitionTime: '2026-11-01T00:00:00Z',
};

import { randomBytes } from 'node:crypto';
import type { CheckerTiming, FederationChecker } from '../federation-check/checker.ts';
import { createFederationChecker } from '../federation-check/checker.ts';
import type { LookSettings } from '../federation-check/look.ts';
import { createLook } from '../federation-check/look.ts';
import type { Log } from '../log.ts';
import { background } from '../log.ts';
import type { createMetrics } from '../metrics.ts';
import { createApiDiscovery } from '../runtime/api-discovery.ts';
import type { DiscoveryOptions } from '../runtime/api-discovery.ts';
import { createEventRecorder } from '../runtime/events.ts';
import type { HealthOptions, HealthServer } from '../runtime/health.ts';
import { startHealthServer } from '../runtime/health.ts';
import type { KubeClient } from '../runtime/kube-client.ts';
import type { ReflectorTiming } from '../runtime/reflector.ts';
import { createRememberingClient } from '../runtime/remembering-client.ts';
import { createLeaderLease } from '../runtime/leader-lease.ts';
import type { WorkQueue } from '../runtime/work-queue.ts';
import { createWorkQueue } from '../runtime/work-queue.ts';
import type { Caches, Reflectors } from './caches.ts';
import { createCaches } from './caches.ts';
import { countResources } from './count-resources.ts';
import { createDeletions } from './deletions.ts';
import { createDrift } from './drift.ts';
import type { ReconcileSettings } from './environment.ts';
import { KINDS, OPENSHIFT_MARK, OWNED_KINDS } from './kinds.ts';
import { leaveNamespace } from './leave-namespace.ts';
import { reconcile } from './reconcile.ts';
import { createUpgradeTurns } from './upgrade-turns.ts';

/** A watch without a sign of life for so long, in ms, is a reason to be restarted. */
const STALE_MS = 600_000;

export interface OperatorOptions {
  readonly client: KubeClient;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly log: Log;
  readonly settings: ReconcileSettings;
  readonly watchNamespaces: readonly string[];
  readonly secretNamespaces: readonly string[] | 'all';
  /** undefined: servers are not looked at from outside. */
  readonly federationCheck: (LookSettings & { readonly timing?: Partial<CheckerTiming> }) | undefined;
  /** For the Lease: a client of its own with a short timeout, which nothing else holds up. undefined: no leader election. */
  readonly leaseClient: KubeClient | undefined;
  /** Name of this process in the Lease. */
  readonly podName: string;
  readonly health: Pick<HealthOptions, 'host' | 'port' | 'profile'>;
  /** How often to look for kinds that the cluster lacked. */
  readonly discovery?: NonNullable<DiscoveryOptions['timing']>;
  /** How patient the watches are. */
  readonly watchTiming?: Partial<ReflectorTiming>;
  /** [Date.now] Wall clock, Unix ms. */
  readonly now?: () => number;
  /** [performance.now] Clock that does not jump, ms. */
  readonly clock?: () => number;
}

export type Ending = 'stopped' | 'lease lost';

export interface Operator {
  /** Where /livez, /readyz and /metrics answer. */
  readonly healthPort: number;
  /** Resolves when everything has ended: after `stop` aborted, or because another process took the lease. */
  readonly ended: Promise<Ending>;
}

/** Starts the watches at once, so that a standby is warm, and works while it holds the lease. */
export async function startOperator(options: OperatorOptions, stop: AbortSignal): Promise<Operator> {
  const { client: direct, metrics, log } = options;
  const identity = `${options.podName}_${randomBytes(4).toString('hex')}`;
  const onError = (error: unknown) => log.warn({ err: error }, 'a request in the background failed');
  const events = createEventRecorder({ client: direct, component: 'matrix-operator', instance: identity, onError });
  const discovery = createApiDiscovery({
    client: direct,
    resources: [OPENSHIFT_MARK, ...Object.values(OWNED_KINDS).filter(({ optional }) => optional)],
    onError,
    ...(options.discovery === undefined ? {} : { timing: options.discovery }),
  });
  const { caches, reflectors } = createCaches({
    client: direct,
    discovery,
    namespaces: options.watchNamespaces,
    secretNamespaces: options.secretNamespaces,
    operatorNamespace: options.settings.serviceAccount.namespace,
    ...(options.watchTiming === undefined ? {} : { timing: options.watchTiming }),
    onKey: (key) => queue.add(key, 'change'),
    onEvent: ({ kind, what, cause, error }) => {
      if (what === 'list') metrics.relists.inc({ kind, cause });
      // A watch that ends because the process does is no failure.
      log[error === undefined || cause === 'stopped' ? 'debug' : 'warn'](
        { kind, step: what, reason: cause, err: error },
        'a watch reported',
      );
    },
  });
  const checker = startChecker(options, (key) => queue.add(key, 'change'));
  const { settings, now = Date.now } = options;
  const memories = {
    turns: createUpgradeTurns(caches.homeservers, settings.maxConcurrentUpgrades),
    deletions: createDeletions(options.clock),
    drift: createDrift(options.clock),
  };
  const client = createRememberingClient({
    client: direct,
    kinds: [KINDS.secret],
    versionOf: (resource, name) => caches.versionOf(resource, name),
    onWrite: (resource, name) => caches.expect(resource, name),
  });
  const env = { client, direct, caches, discovery, ...memories, checker, events, settings, log, metrics, now };
  const queue: WorkQueue = createWorkQueue({
    handle: (key, signal) => reconcile(env, key, signal),
    onError: (key, error) => log.error({ name: key, err: error }, 'a run failed for a reason that nobody foresaw'),
    onTaken: (seconds) => metrics.queueWaitSeconds.observe(seconds),
  });
  const health = await startHealth({ ...options, caches }, reflectors, queue);
  const watching = new AbortController();
  const loops = [discovery, ...reflectors.required, ...reflectors.optional];
  const runs = loops.map((loop) => loop.run(watching.signal));
  const synced = Promise.all([discovery.looked, ...reflectors.required.map((reflector) => reflector.synced)]);
  const ended = work({ ...options, identity, onError }, queue, { stop, synced }).finally(async () => {
    if (stop.aborted) await leaveNamespace(env);
    watching.abort();
    await Promise.all([...runs, health.close(), checker?.close()]);
  });
  background(ended, log, 'the operator');
  return { healthPort: health.port, ended };
}

function startChecker(options: OperatorOptions, onChange: (key: string) => void): FederationChecker | undefined {
  const { federationCheck: settings, metrics, log } = options;
  if (settings === undefined) return undefined;
  return createFederationChecker({
    look: createLook(settings, Date.now),
    onChange,
    onLook: ({ kind }) => metrics.federationChecks.inc({ class: kind }),
    onError: (key, error) =>
      log.error({ name: key, err: error }, 'a look from outside failed for a reason that nobody foresaw'),
    ...(settings.timing === undefined ? {} : { timing: settings.timing }),
  });
}

type WorkOptions = OperatorOptions & { readonly identity: string; readonly onError: (error: unknown) => void };

async function work(
  options: WorkOptions,
  queue: WorkQueue,
  { stop, synced }: { readonly stop: AbortSignal; readonly synced: Promise<unknown> },
): Promise<Ending> {
  const stopped = new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }));
  await Promise.race([synced, stopped]);
  if (stop.aborted) return 'stopped';
  options.log.info({ step: 'caches' }, 'all caches are filled');
  if (options.leaseClient !== undefined) return workUnderLease(options, options.leaseClient, { queue, stop });
  await lead(options, queue, stop);
  return 'stopped';
}

async function workUnderLease(
  options: WorkOptions,
  client: KubeClient,
  { queue, stop }: { readonly queue: WorkQueue; readonly stop: AbortSignal },
): Promise<Ending> {
  const { identity, onError } = options;
  const { namespace } = options.settings.serviceAccount;
  const lease = createLeaderLease({ client, namespace, name: 'matrix-operator', identity, onError });
  let lost: AbortSignal;
  try {
    lost = await lease.acquire(stop);
  } catch (error) {
    if (stop.aborted) return 'stopped';
    throw error;
  }
  await lead(options, queue, AbortSignal.any([stop, lost]));
  if (!stop.aborted) return 'lease lost';
  await lease.release();
  return 'stopped';
}

async function lead({ log, metrics }: WorkOptions, queue: WorkQueue, until: AbortSignal): Promise<void> {
  log.info({ step: 'lead' }, 'this process leads');
  metrics.leader.set(1);
  await queue.run(until).finally(() => metrics.leader.set(0));
  log.info({ step: 'lead' }, 'this process leads no more');
}

async function startHealth(
  { metrics, health, caches }: OperatorOptions & { readonly caches: Caches },
  { required, optional }: Reflectors,
  queue: WorkQueue,
): Promise<HealthServer> {
  const all = [...required, ...optional];
  return startHealthServer({
    ...health,
    live: () =>
      all
        .filter((reflector) => reflector.isSynced && reflector.staleMs() > STALE_MS)
        .map(({ resource }) => `the watch of ${resource.plural} is stale`),
    ready: () =>
      required.filter(({ isSynced }) => !isSynced).map(({ resource }) => `${resource.plural} are not read yet`),
    metrics: async () => {
      metrics.queueDepth.set(queue.depth);
      countResources(metrics, caches.homeservers.values());
      for (const reflector of all) {
        metrics.watchAgeSeconds.set({ kind: reflector.resource.kind }, reflector.staleMs() / 1000);
      }
      return { contentType: metrics.registry.contentType, text: await metrics.registry.metrics() };
    },
  });
}

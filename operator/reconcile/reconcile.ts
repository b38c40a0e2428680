import { createTenantSession } from '../database/sessions.ts';
import { childNames } from '../resources/names.ts';
import { KubeError, isConflict, isNotFound, isTransient } from '../runtime/kube-error.ts';
import type { Verdict } from '../runtime/work-queue.ts';
import { announce, tellNews } from './announce.ts';
import { buildPausedStatus, buildStatus } from './build-status.ts';
import { deleteResource } from './delete-resource.ts';
import { endWithNamespace } from './end-with-namespace.ts';
import { ensureFinalizer } from './finalizer.ts';
import type { Environment } from './environment.ts';
import { keyTransitions } from './key-transitions.ts';
import { observeChildren } from './observe.ts';
import { referencedSecrets } from './homeserver-copy.ts';
import { KINDS } from './kinds.ts';
import { findingsOf } from './findings.ts';
import { runSteps } from './run-steps.ts';
import { tellingSeen } from './seen-status.ts';
import type { StepResults } from './step-results.ts';
import { outcomesOf } from './step-results.ts';
import type { StepContext } from './step.ts';
import { upgradeNews } from './upgrade-news.ts';
import { verdictOf } from './verdict.ts';
import { writeStatus } from './write-status.ts';

/**
 * One run for one resource: look at everything once, run the steps in order, write the status once. Safe to be killed
 * anywhere and to run twice at once. Never writes `spec`.
 */
export async function reconcile(env: Environment, key: string, signal: AbortSignal): Promise<Verdict> {
  const stop = env.metrics.reconcileSeconds.startTimer();
  let result: Verdict['next'] | 'failed' = 'failed';
  try {
    const verdict = await reconcileOnce(env, key, signal);
    result = verdict.next;
    return verdict;
  } finally {
    stop({ result });
    env.metrics.reconciles.inc({ result });
  }
}

async function reconcileOnce(env: Environment, key: string, signal: AbortSignal): Promise<Verdict> {
  const copy = env.caches.homeservers.get(key);
  // What a deleted resource owned goes with it, the rest stays.
  if (copy === undefined) {
    env.checker?.forget(key);
    env.deletions.forget(key);
    env.drift.forget(key);
    return { next: 'done' };
  }
  if (copy.resource === undefined) {
    env.log.error({ name: key, err: copy.fault }, 'a resource does not fit the schema of this operator');
    return { next: 'retry' };
  }
  const ctx = contextOf(env, key, { homeserver: copy.resource, signal });
  try {
    if (copy.resource.metadata.deletionTimestamp !== undefined) {
      env.checker?.forget(key);
      return await deleteResource(ctx);
    }
    if (env.caches.isTerminating(ctx.owner.namespace)) return await endWithNamespace(ctx);
    const held = withVersion(ctx, await ensureFinalizer(ctx));
    return held.homeserver.spec.paused ? await runPaused(held) : await run(held);
  } catch (error) {
    if (signal.aborted) return { next: 'done' };
    return verdictOnFailure(ctx, error);
  } finally {
    await ctx.tenant.end();
  }
}

/** For the watch to bring the copy that a write lost against. */
const NEWER_COPY_MS = 500;

/** Only writes of the resource itself get here; what nobody foresaw is thrown on. */
function verdictOnFailure({ log }: StepContext, error: unknown): Verdict {
  // No failure: counted as one, the next looks would come later and later.
  if (isConflict(error)) return { next: 'later', afterMs: NEWER_COPY_MS };
  if (isNotFound(error)) return { next: 'done' };
  if (!(error instanceof KubeError) || !isTransient(error)) throw error;
  log.warn({ step: 'status', err: error }, 'the API server did not take a write; it is tried again');
  return { next: 'retry', minMs: error.retryAfterMs ?? 0 };
}

async function run(ctx: StepContext): Promise<Verdict> {
  const children = observeChildren(ctx);
  const { result: steps, told } = await tellingSeen(ctx, () => runSteps(ctx, children));
  const found = findingsOf(told, steps, children);
  const next = buildStatus(told, found);
  const news = upgradeNews({
    before: told.homeserver.status.upgrade,
    next: next.upgrade,
    accepted: found.upgrade?.facts.record?.plan,
    why: found.observed.gates,
  });
  await tellNews(told, news);
  await writeStatus(told, next, told.homeserver.metadata.resourceVersion);
  for (const { to, seconds } of keyTransitions(told.homeserver.status, next)) {
    ctx.env.metrics.keyTransitionSeconds.observe({ to }, seconds);
  }
  await announce(told, next.conditions, news);
  return verdictOf(outcomesOf(steps.results), Math.random, wishOf(told, steps.results));
}

/** Within so many ms a Secret that no watch tells about is read again. */
const SECRETS_MS = 300_000;

/** When something is to be done although nothing changes, beside what steps wait for; in ms. */
function wishOf(
  { env, key, homeserver, owner: { namespace } }: StepContext,
  { keys }: StepResults,
): number | undefined {
  const isUnseen = (name: string) => env.caches.versionOf(KINDS.secret, { namespace, name }) === undefined;
  const isUnwatched = !env.caches.seesSecrets(namespace) || referencedSecrets(homeserver).some(isUnseen);
  const wishes = [
    keys.state === 'done' ? keys.value.lookAfterMs : undefined,
    env.drift.dueAfterMs(key),
    isUnwatched ? SECRETS_MS * (0.7 + 0.3 * Math.random()) : undefined,
  ];
  const due = wishes.filter((wish) => wish !== undefined);
  return due.length === 0 ? undefined : Math.min(...due);
}

async function runPaused(ctx: StepContext): Promise<Verdict> {
  ctx.env.checker?.forget(ctx.key);
  const { deployment } = observeChildren(ctx);
  await writeStatus(ctx, buildPausedStatus(ctx, deployment), ctx.homeserver.metadata.resourceVersion);
  return { next: 'done' };
}

function contextOf(
  env: Environment,
  key: string,
  { homeserver, signal }: Pick<StepContext, 'homeserver' | 'signal'>,
): StepContext {
  const { name, namespace, uid, generation } = homeserver.metadata;
  return {
    env,
    homeserver,
    key,
    owner: { name, namespace, uid },
    names: childNames(name),
    log: env.log.child({ namespace, name, generation }),
    tenant: createTenantSession(),
    signal,
  };
}

function withVersion(ctx: StepContext, resourceVersion: string): StepContext {
  const { homeserver } = ctx;
  if (homeserver.metadata.resourceVersion === resourceVersion) return ctx;
  return { ...ctx, homeserver: { ...homeserver, metadata: { ...homeserver.metadata, resourceVersion } } };
}

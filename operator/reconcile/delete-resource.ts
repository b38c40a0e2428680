import type { DropResult } from '../database/drop-database.ts';
import type { Verdict } from '../runtime/work-queue.ts';
import { tell } from './announce.ts';
import { buildDeletingStatus } from './build-status.ts';
import { deleteDatabase } from './delete-database.ts';
import { deleteRetained } from './delete-retained.ts';
import { hasFinalizer, isTerminating, removeFinalizer } from './finalizer.ts';
import { stopPods } from './stop-pods.ts';
import type { StepContext, StepResult } from './step.ts';
import { done, runStep, waiting } from './step.ts';
import { verdictOf } from './verdict.ts';
import { writeStatus } from './write-status.ts';

/** How long pods get to end by themselves before their sessions are ended, in ms: a drain takes 70 s. */
const STOP_MS = 90_000;
/** How long the deletion of a whole namespace waits for a database, in ms. */
const NAMESPACE_MS = 300_000;
const SESSIONS_LOOK_MS = 2000;
const TERMINATING_LOOK_MS = 2000;

/**
 * The way out of a resource with the finalizer: stop the pods, drop the database if it is ours, delete what was retained, let
 * go. Every step may be repeated; `deletion.policy` Retain, set in between, lets go at once.
 */
export async function deleteResource(ctx: StepContext): Promise<Verdict> {
  if (!hasFinalizer(ctx)) return { next: 'done' };
  if (ctx.homeserver.spec.deletion?.policy !== 'Delete') {
    await removeFinalizer(ctx);
    return { next: 'done' };
  }
  const terminating = await isTerminating(ctx, ctx.owner.namespace);
  const result = await runStep(ctx, 'delete', () => deleteAll(ctx, terminating));
  if (result.state === 'done' || (terminating && age(ctx) > NAMESPACE_MS)) {
    if (result.state !== 'done') abandon(ctx, result.message);
    await removeFinalizer(ctx);
    return { next: 'done' };
  }
  await writeStatus(ctx, buildDeletingStatus(ctx, result), ctx.homeserver.metadata.resourceVersion);
  return terminating ? { next: 'later', afterMs: TERMINATING_LOOK_MS } : verdictOf([result], Math.random);
}

function age({ env, key, owner }: StepContext): number {
  return env.deletions.ageMs(key, owner.uid);
}

async function deleteAll(ctx: StepContext, terminating: boolean): Promise<StepResult<undefined>> {
  await stopPods(ctx, terminating);
  const result = await deleteDatabase(ctx, { terminating, force: age(ctx) > STOP_MS });
  if (result?.state === 'in use') {
    return waiting('Deleting', `waits for ${result.sessions} sessions of the replicas to end`, SESSIONS_LOOK_MS);
  }
  if (result?.state === 'foreign') return keep(ctx, result.message);
  if (!terminating) await deleteRetained(ctx);
  await report(ctx, result);
  return done(undefined);
}

async function keep(ctx: StepContext, why: string): Promise<StepResult<undefined>> {
  const message = `${why}: nothing was dropped, and the Secrets of this resource stay`;
  ctx.log.warn({ step: 'delete', reason: 'DatabaseKept' }, 'a database that is not ours was left alone');
  await tell(ctx, { type: 'Warning', reason: 'DatabaseKept', action: 'Delete', message });
  return done(undefined);
}

async function report(ctx: StepContext, result: DropResult | undefined): Promise<void> {
  if (result?.state !== 'dropped') return;
  ctx.log.info({ step: 'delete' }, 'the database was dropped');
  const kept = result.kept.length === 0 ? '' : `; own something elsewhere and stay, closed: ${result.kept.join(', ')}`;
  const type = result.kept.length === 0 ? 'Normal' : 'Warning';
  await tell(ctx, { type, reason: 'DatabaseDropped', action: 'Delete', message: `the database was dropped${kept}` });
}

/** Lets go although the database is still there: a namespace must not hang for ever. */
function abandon({ env, log, homeserver }: StepContext, why: string): void {
  const { server = 'unknown server', name = 'unknown' } = homeserver.status.database ?? {};
  env.metrics.orphanedDatabases.inc();
  log.error({ step: 'delete', err: `database ${name} on ${server} stays: ${why}` }, 'a database was left behind');
}

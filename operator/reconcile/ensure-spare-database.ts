import { dropSpare, makeSpare } from '../database/spare-database.ts';
import { OperatorError } from '../errors.ts';
import { DRILL_COMPONENT } from '../resources/drill-cron-job.ts';
import type { JobCopy } from './child-copies.ts';
import type { ReadyDatabase } from './ready-database.ts';
import type { StepContext, StepResult } from './step.ts';
import { done } from './step.ts';

/** How soon to try again to drop a database whose last sessions have not ended, in ms. */
const SESSIONS_LOOK_MS = 5000;
const COMPONENT = 'app.kubernetes.io/component';

/** Jobs of restore drills. */
export function drillJobs(jobs: readonly JobCopy[]): JobCopy[] {
  return jobs.filter(({ labels }) => labels[COMPONENT] === DRILL_COMPONENT[COMPONENT]);
}

/**
 * Has a spare database there while a restore drill runs, and none at other times. What is there is found out by the step that
 * looks at the server anyway, so this costs nothing where nothing is to be done.
 */
export async function ensureSpareDatabase(
  ctx: StepContext,
  { rotation, facts }: ReadyDatabase,
  jobs: readonly JobCopy[],
): Promise<StepResult<undefined>> {
  if (rotation === undefined) return done(undefined);
  const drill = runningDrill(ctx, jobs);
  if (drill === undefined) {
    if (facts.spare === undefined) return done(undefined);
    return (await dropWhenFree(ctx, rotation)) ? done(undefined) : done(undefined, '', SESSIONS_LOOK_MS);
  }
  if (facts.spare?.drill === drill.uid) return done(undefined);
  const stop = ctx.env.metrics.sqlSeconds.startTimer({ step: 'spare' });
  await makeSpare(rotation, drill.uid).finally(stop);
  ctx.log.info({ step: 'spare' }, 'a spare database was made for a restore drill');
  return done(undefined);
}

/** Of several the oldest; a CronJob runs one at a time, but people can start more. */
function runningDrill({ homeserver }: StepContext, jobs: readonly JobCopy[]): JobCopy | undefined {
  if (homeserver.spec.backup?.drillSchedule === undefined) return undefined;
  const age = ({ createdAt = '', uid }: JobCopy) => `${createdAt} ${uid}`;
  return drillJobs(jobs)
    .filter(({ state, deleting }) => state === 'running' && !deleting)
    .sort((a, b) => age(a).localeCompare(age(b)))[0];
}

/** False while somebody is in it: the pod of a drill that was ended, or a person. */
async function dropWhenFree(ctx: StepContext, rotation: NonNullable<ReadyDatabase['rotation']>): Promise<boolean> {
  const stop = ctx.env.metrics.sqlSeconds.startTimer({ step: 'spare' });
  try {
    await dropSpare(rotation);
  } catch (error) {
    if (error instanceof OperatorError && error.reason === 'LockHeld') return false;
    throw error;
  } finally {
    stop();
  }
  ctx.log.info({ step: 'spare' }, 'the spare database of a restore drill was dropped');
  return true;
}

import type { BackupFacts, DrillFacts } from '../conditions/observed.ts';
import { isFailing } from '../conditions/observed.ts';
import type { StoredBackup } from '../database/serving-facts.ts';
import { BACKUP_COMPONENT } from '../resources/backup-job.ts';
import { objectKey } from '../runtime/kube-object.ts';
import type { JobCopy } from './child-copies.ts';
import { drillJobs } from './ensure-spare-database.ts';
import { exitCodeIn } from './job-runs.ts';
import { OWNED_KINDS } from './kinds.ts';
import type { StepContext, StepResult } from './step.ts';
import { reportOf } from './step.ts';

const COMPONENT = 'app.kubernetes.io/component';

/** What is known beside the Jobs. */
export interface KnownOfBackups {
  /** Of the steps that backups and drills depend on. */
  readonly results: readonly StepResult<unknown>[];
  /** By the database, newest first; undefined while it cannot be asked. */
  readonly stored: readonly StoredBackup[] | undefined;
}

/**
 * What the backups have come to; undefined when none are wanted. A good one is known by the database, whoever asked for it; a
 * failed one by its Job, which is deleted in time, so that the status keeps the last.
 */
export function backupFacts(
  ctx: StepContext,
  jobs: readonly JobCopy[],
  { results, stored }: KnownOfBackups,
): BackupFacts | undefined {
  const { spec, status } = ctx.homeserver;
  if (spec.backup === undefined) return undefined;
  const failures = jobs
    .filter(({ labels, state }) => labels[COMPONENT] === BACKUP_COMPONENT[COMPONENT] && state === 'failed')
    .map(({ failedAt }) => failedAt);
  const before = { storedAt: latest([status.backup?.lastSuccessTime]), id: status.backup?.latestID };
  const last = stored === undefined ? before : stored[0];
  return {
    schedule: spec.backup.schedule,
    lastSuccess: last?.storedAt,
    lastFailure: latest([status.backup?.lastFailureTime, ...failures]),
    latestId: last?.id,
    now: ctx.env.now(),
    fault: results.map(reportOf).find(isFailing),
    drill: spec.backup.drillSchedule === undefined ? undefined : drillFacts(ctx, spec.backup.drillSchedule, jobs),
  };
}

/** The CronJob keeps the last Job of either end; the time of the last good one outlives it in the status. */
function drillFacts(ctx: StepContext, schedule: string, jobs: readonly JobCopy[]): DrillFacts {
  const { env, homeserver, owner, names } = ctx;
  const drills = drillJobs(jobs);
  const failed = drills
    .filter(({ state }) => state === 'failed')
    .sort((a, b) => b.failedAt.localeCompare(a.failedAt))[0];
  const key = objectKey({ namespace: owner.namespace, name: names.drillCronJob });
  const cronJob = env.caches.owned(OWNED_KINDS.cronJob).get(key);
  return {
    schedule,
    lastSuccess: latest([homeserver.status.backup?.lastDrillTime, ...drills.map(({ completedAt }) => completedAt)]),
    lastFailure: failed && { at: Date.parse(failed.failedAt), message: whyItFailed(ctx, failed) },
    since: latest([cronJob?.createdAt]),
  };
}

const EXIT_MEANINGS: Readonly<Record<string, string>> = {
  '1': 'the backup cannot be used, is not whole, or does not serve',
  '2': 'the image does not know the command, or the bucket cannot be reached without credentials',
  '10': 'the configuration is invalid: see spec.config',
  '11': 'the backup is of a newer version',
  '12': 'the spare database was not empty',
};

function whyItFailed({ owner }: StepContext, job: JobCopy): string {
  const meaning = EXIT_MEANINGS[exitCodeIn(job)] ?? job.message;
  return `${meaning}; see kubectl -n ${owner.namespace} logs job/${job.name}`;
}

function latest(times: readonly (string | undefined)[]): number | undefined {
  const known = times.map((time) => Date.parse(time ?? '')).filter((ms) => !Number.isNaN(ms));
  return known.length === 0 ? undefined : Math.max(...known);
}

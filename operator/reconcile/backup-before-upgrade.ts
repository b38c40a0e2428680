import type { UpgradePlan } from '../api/upgrade-status.ts';
import { backupJob } from '../resources/backup-job.ts';
import type { PodImage } from '../resources/pod-template.ts';
import type { BackupState } from '../upgrades/plan-phase.ts';
import type { UpgradeFacts } from '../upgrades/upgrade-record.ts';
import { checkBackupSecrets } from './backup-secrets.ts';
import type { DeploymentCopy, JobCopy } from './child-copies.ts';
import { digestOf, stableJson } from './digest.ts';
import type { Secrets } from './ensure-secrets.ts';
import { createJob, deleteJob, exitCodeIn, isLeaving, mayGoBetter } from './job-runs.ts';
import { podFiles, secretsChecksum } from './pod-files.ts';
import { podImage, readSameConfig, resolveImage } from './resolve.ts';
import type { Blocked, StepContext } from './step.ts';
import { blocked } from './step.ts';

/** An upgrade that begins later than this after its backup wants a newer one, in ms. */
const FRESH_MS = 3_600_000;

/** Whether a backup belongs to each upgrade of this resource. */
export function backupPolicy({ homeserver }: StepContext): UpgradePlan['backup'] {
  const { backup } = homeserver.spec;
  if (backup === undefined) return 'NotConfigured';
  return backup.preUpgrade;
}

export interface BackupBeforeInput {
  readonly plan: UpgradePlan;
  readonly facts: UpgradeFacts;
  readonly secrets: Secrets;
  readonly configMap: string;
  readonly jobs: readonly JobCopy[];
  readonly deployment: DeploymentCopy | undefined;
}

/** The backup before an upgrade: how far it is, and the Job that makes it. */
export interface BackupBefore {
  readonly state: BackupState;
  readonly copy: JobCopy | undefined;
  /** True when the Job has to be made again. */
  readonly isStale: boolean;
}

/**
 * How far the backup before a plan is. The truth stands in the database, where the program notes what it found complete in the
 * store; the Job is only the way there. Called for a plan that has the step, before anything is written.
 */
export function lookAtBackup(ctx: StepContext, input: BackupBeforeInput): BackupBefore {
  const copy = input.jobs.find(({ name }) => name === ctx.names.backupJob(input.plan.id));
  const found = noted(input);
  if (found === 'fresh') return { state: 'done', copy, isStale: false };
  if (copy === undefined || isLeaving(ctx, copy) || copy.state === 'running') {
    return { state: 'pending', copy, isStale: false };
  }
  const isStale = copy.inputs !== inputsDigest(ctx, input) || found === 'old' || mayGoBetter(ctx, copy);
  return { state: isStale ? 'pending' : 'failed', copy, isStale };
}

/** One from before the version that serves now, or from long ago, is not the one that this upgrade waits for. */
function noted({ plan, facts }: BackupBeforeInput): 'fresh' | 'old' | 'none' {
  const found = facts.backups.filter(({ upgradePlan }) => upgradePlan === plan.id);
  if (found.length === 0) return 'none';
  const since = Math.max(facts.record?.acceptedAt ?? 0, facts.now - FRESH_MS);
  return found.some(({ storedAt }) => storedAt > since) ? 'fresh' : 'old';
}

/** Starts the Job, or takes a stale one away so that the next run can; does nothing while it runs. */
export async function runBackup(ctx: StepContext, input: BackupBeforeInput, found: BackupBefore): Promise<void> {
  if (found.copy !== undefined) {
    if (found.isStale) await deleteJob(ctx, found.copy);
    return;
  }
  const { backup } = ctx.homeserver.spec;
  if (backup === undefined) return;
  await checkBackupSecrets(ctx, backup);
  const { owner } = ctx;
  const how = { owner, backup, ...podInputs(ctx, input) };
  await createJob(ctx, backupJob({ ...how, plan: input.plan.id, inputsDigest: inputsDigest(ctx, input) }), 'backup');
}

/** By the version that serves: its backup can be restored by it. What it cannot read of a new configuration it keeps as it was. */
function podInputs(ctx: StepContext, { plan, secrets, deployment, configMap }: BackupBeforeInput) {
  const { homeserver, env } = ctx;
  const from = plan.from ?? plan.to;
  const isSame = readSameConfig(env.settings.catalogue, from, plan.to) || (deployment?.configMap ?? '') === '';
  const files = podFiles(ctx, isSame ? configMap : (deployment?.configMap ?? configMap), secrets.references);
  return { image: imageOf(ctx, from, deployment), files, pod: homeserver.spec.pod };
}

function imageOf({ env, homeserver }: StepContext, from: string, deployment: DeploymentCopy | undefined): PodImage {
  const { image } = homeserver.spec;
  if (deployment?.version === from) return podImage(image, deployment.image);
  // A digest that the spec names is that of the new version.
  const { digest } = image ?? {};
  const named = digest === undefined ? image : { ...image, digest: undefined };
  return resolveImage({ image: named, settings: env.settings }, from, undefined);
}

/** With the plan before, so that a Job of an earlier time is not taken for this one. */
function inputsDigest(ctx: StepContext, input: BackupBeforeInput): string {
  const { backup } = ctx.homeserver.spec;
  const since = input.facts.record?.acceptedAt ?? 0;
  const { image, files, pod } = podInputs(ctx, input);
  return digestOf([stableJson({ image, files, pod, backup, since }), secretsChecksum(input.secrets)], 16);
}

const EXIT_MEANINGS: Readonly<Record<string, string>> = {
  '1': 'the store refused it, or did not give back what was written',
  '2': 'the image does not know the command, or the bucket cannot be reached without credentials',
  '10': 'the configuration is invalid: see spec.config',
  '11': 'the schema of the database does not fit the version that serves',
  '12': 'the database has the wrong encoding, collation or server name',
  '13': 'the signing key cannot be read',
};

/** Why the upgrade does not begin. */
export function backupFailure({ owner, names }: StepContext, plan: UpgradePlan, { copy }: BackupBefore): Blocked {
  const name = names.backupJob(plan.id);
  const why =
    copy?.state === 'complete'
      ? 'it ended well, but the database knows of no backup by it'
      : (EXIT_MEANINGS[exitCodeIn(copy ?? { message: '' })] ?? copy?.message ?? '');
  return blocked(
    'BackupFailed',
    `plan ${plan.id} to ${plan.to}: Job ${name} failed: ${why}. See kubectl -n ${owner.namespace} logs job/${name}; correct ` +
      'the cause, then delete the Job; nothing was changed',
  );
}

import type { ExpectedProgram } from '../../homeserver/contract/expected-program.ts';
import type { Reason } from '../api/reasons.ts';
import type { UpgradePlan } from '../api/upgrade-status.ts';
import type { UpgradeJobKind } from '../resources/names.ts';
import { isUpgradeJob } from '../resources/names.ts';
import { upgradeJob } from '../resources/upgrade-job.ts';
import type { PodImage } from '../resources/pod-template.ts';
import type { CatalogueEntry } from '../upgrades/catalogue.ts';
import type { JobState } from '../upgrades/plan-phase.ts';
import type { JobCopy } from './child-copies.ts';
import { digestOf, stableJson } from './digest.ts';
import type { Secrets } from './ensure-secrets.ts';
import { createJob, deleteJob, exitCodeIn, isLeaving, mayGoBetter } from './job-runs.ts';
import { podFiles, secretsChecksum } from './pod-files.ts';
import type { Blocked, StepContext } from './step.ts';
import { blocked } from './step.ts';

export interface JobsInput {
  readonly plan: UpgradePlan;
  readonly entry: CatalogueEntry;
  readonly image: PodImage;
  readonly secrets: Secrets;
  readonly configMap: string;
  readonly jobs: readonly JobCopy[];
}

/** The Job of one kind for the plan: how it stands, and what it would be made of now. */
export interface UpgradeJob {
  readonly kind: UpgradeJobKind;
  readonly name: string;
  readonly state: JobState;
  readonly copy: JobCopy | undefined;
  /** True when it has to be made again: other inputs, or a try that may go better now. */
  readonly isStale: boolean;
}

/** Looks at one Job. A stale one counts as running: it is about to be made again. */
export function lookAtJob(ctx: StepContext, input: JobsInput, kind: UpgradeJobKind): UpgradeJob {
  const name = ctx.names.upgradeJob(kind, input.plan.id);
  const copy = input.jobs.find((job) => job.name === name);
  if (copy === undefined) return { kind, name, state: 'none', copy, isStale: false };
  const isBusy = isLeaving(ctx, copy);
  const isStale = !isBusy && copy.state !== 'running' && mustRunAgain(ctx, copy, inputsDigest(ctx, input), kind);
  const state = isBusy || isStale ? 'running' : copy.state;
  return { kind, name, state, copy, isStale };
}

/**
 * A migration that is complete although its work is still to be done ran before the database was restored; callers look
 * only while there is work. A failed Job may go better with other inputs, or later if nothing but time was wrong.
 */
function mustRunAgain(ctx: StepContext, job: JobCopy, inputs: string, kind: UpgradeJobKind): boolean {
  if (job.inputs !== inputs) return true;
  if (job.state === 'complete') return kind === 'migrate' || kind === 'contract';
  return mayGoBetter(ctx, job);
}

function inputsDigest(ctx: StepContext, { image, secrets, configMap }: JobsInput): string {
  const { pod } = ctx.homeserver.spec;
  return digestOf(
    [stableJson({ files: podFiles(ctx, configMap, secrets.references), image, pod }), secretsChecksum(secrets)],
    16,
  );
}

/** Starts the Job, or takes a stale one away so that the next run can; does nothing while it runs. */
export async function runJob(ctx: StepContext, input: JobsInput, job: UpgradeJob): Promise<void> {
  if (job.copy !== undefined) {
    if (job.isStale) await deleteJob(ctx, job.copy);
    return;
  }
  const manifest = upgradeJob({
    owner: ctx.owner,
    kind: job.kind,
    plan: input.plan.id,
    inputsDigest: inputsDigest(ctx, input),
    expected: expectedProgram(input),
    image: input.image,
    files: podFiles(ctx, input.configMap, input.secrets.references),
    pod: ctx.homeserver.spec.pod,
  });
  await createJob(ctx, manifest, job.kind);
}

function expectedProgram({ plan, entry }: JobsInput): ExpectedProgram {
  return {
    version: plan.to,
    schemaLevel: entry.schemaLevel,
    compatLevel: entry.compatLevel,
    migrations: entry.migrations.map(({ name, phase }) => `${phase} ${name}`),
  };
}

/** Jobs of other plans, or of another resource of this name, must not go on beside ours. */
export async function stopOthers(ctx: StepContext, jobs: readonly JobCopy[], planId: string): Promise<void> {
  for (const job of jobs) {
    const isOurs = job.name.endsWith(planId) && job.ownerUid === ctx.owner.uid;
    if (isUpgradeJob(job.name) && !isOurs && !job.deleting && job.state === 'running') await deleteJob(ctx, job);
  }
}

const WRONG_IMAGE = '14';

const EXIT_MEANINGS: Readonly<Record<string, string>> = {
  '1': 'a migration failed or the database refused it',
  '2': 'the image does not know the command',
  '10': 'the configuration is invalid for this version: see spec.config',
  '11': 'the schema of the database is too new or too old for this version',
  '12': 'the database has the wrong encoding, collation or server name',
  '13': 'the signing key cannot be read',
  '14': 'the image is not the version that the catalogue describes',
};

/** What a preflight finds is not a migration that failed. */
const PREFLIGHT_REASONS: Readonly<Record<string, Reason>> = {
  '10': 'ConfigInvalid',
  '11': 'RollbackUnsafe',
  '14': 'VersionUnknown',
};

/** Why nothing goes on, from the exit code that the Job's condition names. */
export function jobFailure({ owner, homeserver }: StepContext, { kind, name, copy }: UpgradeJob): Blocked {
  const message = copy?.message ?? '';
  const code = exitCodeIn({ message });
  if (code === WRONG_IMAGE && homeserver.spec.image?.digest !== undefined) return pinnedImage(name);
  return blocked(
    reasonOf(kind, code),
    `Job ${name} failed: ${meaningOf(kind, code) ?? message}. See kubectl -n ${owner.namespace} logs job/${name} ` +
      '--all-containers; correct the cause, then delete the Job or change the spec',
  );
}

/** Most likely the version was changed and the digest was not. */
function pinnedImage(job: string): Blocked {
  return blocked(
    'VersionUnknown',
    `Job ${job} failed: spec.image.digest names an image that is not the version that the catalogue describes. Give the ` +
      'digest of that version, or take spec.image.digest out',
  );
}

function reasonOf(kind: UpgradeJobKind, code: string): Reason {
  if (kind === 'verify') return 'VerifyFailed';
  const looked = kind === 'preflight' || code === WRONG_IMAGE ? PREFLIGHT_REASONS[code] : undefined;
  return looked ?? 'MigrationFailed';
}

function meaningOf(kind: UpgradeJobKind, code: string): string | undefined {
  if (kind === 'verify' && code === '1')
    return 'something in the database is not as it should be, and its log names it';
  return EXIT_MEANINGS[code];
}

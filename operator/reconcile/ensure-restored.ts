import { KeyBundle, openKeyring } from '../../homeserver/contract/key-bundle.ts';
import type { RestoreSource } from '../api/backup-spec.ts';
import { deleteKeyBundle, readRestored } from '../database/restored.ts';
import type { DatabaseLogin } from '../database/connect.ts';
import { withSession } from '../database/sessions.ts';
import type { PodImage } from '../resources/pod-template.ts';
import { restoreJob } from '../resources/restore-job.ts';
import { readLedger } from '../signing-keys/ledger.ts';
import { namedKeys } from '../signing-keys/restored-keys.ts';
import { checkBackupSecrets } from './backup-secrets.ts';
import type { JobCopy } from './child-copies.ts';
import { digestOf, stableJson } from './digest.ts';
import type { Secrets } from './ensure-secrets.ts';
import { createJob, deleteJob, exitCodeIn, isLeaving, mayGoBetter } from './job-runs.ts';
import { createKeyStore } from './key-store.ts';
import { podFiles } from './pod-files.ts';
import type { StepContext, StepResult } from './step.ts';
import { blocked, done, waiting } from './step.ts';

/** How often to look at a restore that the watch does not tell about, in ms. */
const LOOK_MS = 5000;

export interface RestoreStepInput {
  readonly login: DatabaseLogin;
  readonly image: PodImage;
  readonly configMap: string;
  readonly jobs: readonly JobCopy[];
  readonly secrets: Secrets;
}

/**
 * Has a new database filled from the backup that the spec names, by one Job, before the first signing key. The truth about it
 * stands in the database: what was restored once is never restored again.
 */
export async function ensureRestored(ctx: StepContext, input: RestoreStepInput): Promise<StepResult<undefined>> {
  const source = ctx.homeserver.spec.bootstrap?.restore;
  if (source === undefined) return done(undefined);
  const facts = await readRestored(input.login);
  if (facts.state === 'done') {
    return facts.keyBundle === undefined ? done(undefined) : takeKeys(ctx, { ...input, source }, facts.keyBundle);
  }
  if (facts.state === 'none' && facts.hasSchema) return blocked('RestoreFailed', notEmpty(ctx));
  await checkBackupSecrets(ctx, source);
  return runJob(ctx, input, source);
}

/** Secrets are made only where there are none, so a repeated run changes nothing; then the sealed copy goes. */
async function takeKeys(
  ctx: StepContext,
  { login, source }: RestoreStepInput & { source: RestoreSource },
  text: string,
): Promise<StepResult<undefined>> {
  const encryptionKey = await checkBackupSecrets(ctx, source);
  const bundle = KeyBundle.parse(JSON.parse(text));
  const keyring = encryptionKey === undefined ? undefined : openKeyring(bundle, encryptionKey);
  if (keyring === undefined) return blocked('RestoreFailed', wrongKey);
  const { rows } = await withSession(login, readLedger);
  const active = ctx.homeserver.spec.signingKeys.keys.find(({ state }) => state === 'Active');
  const store = createKeyStore(ctx);
  for (const { name, key } of namedKeys(keyring, rows, active?.name ?? 'k1')) await store.createKey(name, key);
  await deleteKeyBundle(login);
  ctx.log.info({ step: 'restore' }, 'the signing keys of the backup are in Secrets');
  return done(undefined);
}

async function runJob(
  ctx: StepContext,
  { image, configMap, jobs, secrets }: RestoreStepInput,
  source: RestoreSource,
): Promise<StepResult<undefined>> {
  const { owner, homeserver, names } = ctx;
  const files = podFiles(ctx, configMap, secrets.references);
  const { pod } = homeserver.spec;
  const inputsDigest = digestOf([stableJson({ files, image, source, pod })], 16);
  const job = jobs.find(({ name }) => name === names.restoreJob);
  if (job === undefined) {
    await createJob(ctx, restoreJob({ owner, source, inputsDigest, image, files, pod }), 'restore');
    return waiting('Restoring', `Job ${names.restoreJob} is being started`, LOOK_MS);
  }
  if (isLeaving(ctx, job) || mustRunAgain(ctx, job, inputsDigest)) {
    if (!job.deleting) await deleteJob(ctx, job);
    return waiting('Restoring', `Job ${job.name} is being started again`, 1000);
  }
  if (job.state === 'running') return waiting('Restoring', `Job ${job.name} is running`, LOOK_MS);
  return blocked('RestoreFailed', failureMessage(ctx, job));
}

/** One that is complete although the database is not restored ran into another database of this name. */
function mustRunAgain(ctx: StepContext, job: JobCopy, inputsDigest: string): boolean {
  if (job.state === 'running') return false;
  if (job.state === 'complete' || job.inputs !== inputsDigest) return true;
  return mayGoBetter(ctx, job);
}

const EXIT_MEANINGS: Readonly<Record<string, string>> = {
  '1': 'the backup cannot be used',
  '2': 'the image does not know the command, or the bucket cannot be reached without credentials',
  '10': 'the configuration is invalid: see spec.config',
  '11': 'the backup is of a newer version: choose that spec.version',
  '12': 'the database is not empty',
};

const wrongKey =
  'the signing keys of the backup do not open with bootstrap.restore.encryptionSecretRef; restore that Secret';

function failureMessage({ owner }: StepContext, job: JobCopy): string {
  const meaning = EXIT_MEANINGS[exitCodeIn(job)] ?? job.message;
  return `Job ${job.name} failed: ${meaning}. See kubectl -n ${owner.namespace} logs job/${job.name}; correct the cause, then delete the Job`;
}

function notEmpty({ owner }: StepContext): string {
  return (
    'the database has data that no restore brought, and bootstrap.restore fills an empty one only; ' +
    `give the resource another name than ${owner.name} or another database.name, or apply it without bootstrap`
  );
}

import type { Manifest } from '../resources/manifest.ts';
import { isAlreadyExists } from '../runtime/kube-error.ts';
import type { JobCopy } from './child-copies.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import type { StepContext } from './step.ts';

/** How long a Job that gave up stays before it is made again, in ms. */
const RETRY_AFTER_MS = 300_000;

/** Creates a Job of a fixed name, unless another run or another operator was faster. */
export async function createJob({ env, log }: StepContext, manifest: Manifest, step: string): Promise<void> {
  try {
    await env.client.create(KINDS.job, manifest, MANAGERS.children);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return;
  }
  env.metrics.writes.inc({ kind: 'Job' });
  log.info({ step, kind: 'Job' }, 'a Job was created');
}

export async function deleteJob({ env, owner }: StepContext, job: JobCopy): Promise<void> {
  await env.client.delete(KINDS.job, { namespace: owner.namespace, name: job.name }, { uid: job.uid });
}

/** Whether a Job of the wanted name is on its way out, or of an earlier resource. */
export function isLeaving({ owner }: StepContext, job: JobCopy): boolean {
  return job.deleting || job.ownerUid !== owner.uid;
}

/** Whether a failed Job may go better now: nothing but time was wrong. */
export function mayGoBetter({ env }: StepContext, job: JobCopy): boolean {
  return job.gaveUp && env.now() - Date.parse(job.failedAt) > RETRY_AFTER_MS;
}

/** The exit code that the condition of a failed Job names; empty when it names none. */
export function exitCodeIn({ message }: Pick<JobCopy, 'message'>): string {
  return /exit code (\d+)/.exec(message)?.[1] ?? '';
}

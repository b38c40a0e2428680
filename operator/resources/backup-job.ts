import { FINAL_EXIT_CODES } from './job-exit-codes.ts';
import { ownedMetadata } from './labels.ts';
import type { Manifest } from './manifest.ts';
import { childNames } from './names.ts';
import { BACKUP_ARGS } from './program.ts';
import type { StoreJob, StoreJobInput } from './store-job.ts';
import { storeCronJob, storeJobLabels, storeJobSpec } from './store-job.ts';
import { INPUTS_ANNOTATION } from './upgrade-job.ts';

/** On Jobs that back up. */
export const BACKUP_COMPONENT = { 'app.kubernetes.io/component': 'backup' };

/** Backs up as scheduled; the program itself deletes what is too old. */
export function backupCronJob(input: StoreJobInput): Manifest {
  const { owner, backup } = input;
  const name = childNames(owner.name).backupCronJob;
  return storeCronJob(input, backUp(input), { name, schedule: backup.schedule });
}

export interface BackupJobInput extends StoreJobInput {
  /** 12 hex digits. */
  readonly plan: string;
  readonly inputsDigest: string;
}

/** One backup before the upgrade with this plan, read back object by object; the database says when it is complete. */
export function backupJob(input: BackupJobInput): Manifest {
  const { owner, plan, inputsDigest } = input;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      ...ownedMetadata(owner, childNames(owner.name).backupJob(plan)),
      labels: storeJobLabels(owner, 'backup'),
      annotations: { [INPUTS_ANNOTATION]: inputsDigest },
    },
    spec: {
      ...storeJobSpec(input, backUp(input, ['--read-back', '--upgrade-plan', plan])),
      ttlSecondsAfterFinished: 86_400,
    },
  };
}

function backUp({ backup }: StoreJobInput, more: readonly string[] = []): StoreJob {
  return {
    name: 'backup',
    args: (store) => [...BACKUP_ARGS, ...store, '--keep-last', String(backup.keepLast), ...more],
    finalCodes: FINAL_EXIT_CODES,
  };
}

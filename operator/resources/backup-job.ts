import type { BackupSpec } from '../api/backup-spec.ts';
import type { PodSpec } from '../api/pod-spec.ts';
import { storeAccess } from './backup-store.ts';
import { FINAL_EXIT_CODES } from './job-exit-codes.ts';
import { ownedLabels, ownedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';
import type { PodFiles, PodImage } from './pod-template.ts';
import {
  CONTAINER_SECURITY,
  VOLUME_MOUNTS,
  containerResources,
  placement,
  podAnnotations,
  podBasics,
  volumes,
} from './pod-template.ts';
import { BACKUP_ARGS } from './program.ts';
import { INPUTS_ANNOTATION } from './upgrade-job.ts';

/** On Jobs that back up. */
export const BACKUP_COMPONENT = { 'app.kubernetes.io/component': 'backup' };

export interface BackupInput {
  readonly owner: Owner;
  readonly backup: BackupSpec;
  readonly image: PodImage;
  readonly files: PodFiles;
  readonly pod: PodSpec | undefined;
}

/** Backs up as scheduled, one at a time; the program itself deletes what is too old. */
export function backupCronJob(input: BackupInput): Manifest {
  const { owner, backup } = input;
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: ownedMetadata(owner, childNames(owner.name).backupCronJob),
    spec: {
      schedule: backup.schedule,
      timeZone: backup.timeZone,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 1,
      jobTemplate: {
        metadata: { labels: { ...ownedLabels(owner.name), ...BACKUP_COMPONENT } },
        spec: jobSpec(input),
      },
    },
  };
}

export interface BackupJobInput extends BackupInput {
  /** 12 hex digits. */
  readonly plan: string;
  readonly inputsDigest: string;
}

/** One backup before the upgrade with this plan, read back object by object; the database says when it is complete. */
export function backupJob(input: BackupJobInput): Manifest {
  const { owner, plan, inputsDigest } = input;
  const metadata = ownedMetadata(owner, childNames(owner.name).backupJob(plan));
  const more = ['--read-back', '--upgrade-plan', plan];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...BACKUP_COMPONENT },
      annotations: { [INPUTS_ANNOTATION]: inputsDigest },
    },
    spec: { ...jobSpec(input, more), ttlSecondsAfterFinished: 86_400 },
  };
}

function jobSpec(input: BackupInput, more: readonly string[] = []) {
  const { owner, pod } = input;
  return {
    backoffLimit: 3,
    podFailurePolicy: {
      rules: [
        { action: 'FailJob', onExitCodes: { containerName: 'backup', operator: 'In', values: FINAL_EXIT_CODES } },
      ],
    },
    template: {
      metadata: {
        labels: { ...pod?.labels, ...ownedLabels(owner.name), ...BACKUP_COMPONENT },
        ...podAnnotations(pod),
      },
      spec: podSpec(input, more),
    },
  };
}

function podSpec({ owner, backup, image, files, pod }: BackupInput, more: readonly string[]) {
  const store = storeAccess(backup);
  return {
    ...podBasics(image, childNames(owner.name).serviceAccount),
    ...placement(pod),
    restartPolicy: 'Never',
    containers: [
      {
        name: 'backup',
        image: image.reference,
        imagePullPolicy: image.pullPolicy,
        args: [...BACKUP_ARGS, ...store.args, '--keep-last', String(backup.keepLast), ...more],
        resources: containerResources(pod),
        securityContext: CONTAINER_SECURITY,
        volumeMounts: [...VOLUME_MOUNTS, ...store.mounts],
      },
    ],
    volumes: [...volumes(files), ...store.volumes],
  };
}

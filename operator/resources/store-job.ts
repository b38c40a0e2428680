import type { BackupSpec } from '../api/backup-spec.ts';
import type { PodSpec } from '../api/pod-spec.ts';
import { storeAccess } from './backup-store.ts';
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

export interface StoreJobInput {
  readonly owner: Owner;
  readonly backup: BackupSpec;
  readonly image: PodImage;
  readonly files: PodFiles;
  readonly pod: PodSpec | undefined;
}

/** A Job beside a homeserver that works on its backup store. */
export interface StoreJob {
  /** Of its container and its component label. */
  readonly name: 'backup' | 'drill';
  /** For the words by which the store is reached. */
  readonly args: (store: readonly string[]) => readonly string[];
  /** Exit codes after which another try would end the same. */
  readonly finalCodes: readonly number[];
  readonly deadlineSeconds?: number;
}

export const storeJobLabels = (owner: Owner, name: StoreJob['name']) => ({
  ...ownedLabels(owner.name),
  'app.kubernetes.io/component': name,
});

export function storeJobSpec(input: StoreJobInput, job: StoreJob) {
  const { owner, pod } = input;
  const onExitCodes = { containerName: job.name, operator: 'In', values: job.finalCodes };
  return {
    backoffLimit: 3,
    ...(job.deadlineSeconds !== undefined && { activeDeadlineSeconds: job.deadlineSeconds }),
    podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes }] },
    template: {
      metadata: { labels: { ...pod?.labels, ...storeJobLabels(owner, job.name) }, ...podAnnotations(pod) },
      spec: podSpec(input, job),
    },
  };
}

/** One at a time, as scheduled. */
export function storeCronJob(input: StoreJobInput, job: StoreJob, at: { name: string; schedule: string }): Manifest {
  const { owner, backup } = input;
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: ownedMetadata(owner, at.name),
    spec: {
      schedule: at.schedule,
      timeZone: backup.timeZone,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 1,
      jobTemplate: { metadata: { labels: storeJobLabels(owner, job.name) }, spec: storeJobSpec(input, job) },
    },
  };
}

function podSpec({ owner, backup, image, files, pod }: StoreJobInput, { name, args }: StoreJob) {
  const store = storeAccess(backup);
  return {
    ...podBasics(image, childNames(owner.name).serviceAccount),
    ...placement(pod),
    restartPolicy: 'Never',
    containers: [
      {
        name,
        image: image.reference,
        imagePullPolicy: image.pullPolicy,
        args: args(store.args),
        resources: containerResources(pod),
        securityContext: CONTAINER_SECURITY,
        volumeMounts: [...VOLUME_MOUNTS, ...store.mounts],
      },
    ],
    volumes: [...volumes(files), ...store.volumes],
  };
}

import { EXIT_CODES } from '../../homeserver/contract/exit-codes.ts';
import type { BackupInput } from './backup-job.ts';
import { storeAccess } from './backup-store.ts';
import { FINAL_EXIT_CODES } from './job-exit-codes.ts';
import { ownedLabels, ownedMetadata } from './labels.ts';
import type { Manifest } from './manifest.ts';
import { childNames } from './names.ts';
import {
  CONTAINER_SECURITY,
  VOLUME_MOUNTS,
  containerResources,
  placement,
  podAnnotations,
  podBasics,
  volumes,
} from './pod-template.ts';
import { drillArgs } from './program.ts';

/** On Jobs of the CronJob of restore drills. */
export const DRILL_COMPONENT = { 'app.kubernetes.io/component': 'drill' };

/** How long a drill waits for the spare database that the operator makes when it sees the Job. */
const WAIT_SECONDS = 600;
/** A drill that hangs must not hold a second database for ever. */
const DEADLINE_SECONDS = 86_400;

export interface DrillInput extends BackupInput {
  readonly schedule: string;
  /** Name of the spare database. */
  readonly database: string;
}

/** Proves the newest backup as scheduled, one drill at a time. A backup that is bad stays bad, so that is not tried again. */
export function drillCronJob(input: DrillInput): Manifest {
  const { owner, backup, schedule } = input;
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: ownedMetadata(owner, childNames(owner.name).drillCronJob),
    spec: {
      schedule,
      timeZone: backup.timeZone,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 1,
      jobTemplate: {
        metadata: { labels: { ...ownedLabels(owner.name), ...DRILL_COMPONENT } },
        spec: jobSpec(input),
      },
    },
  };
}

function jobSpec(input: DrillInput) {
  const { owner, pod } = input;
  const values = [EXIT_CODES.failed, ...FINAL_EXIT_CODES];
  return {
    backoffLimit: 3,
    activeDeadlineSeconds: DEADLINE_SECONDS,
    podFailurePolicy: {
      rules: [{ action: 'FailJob', onExitCodes: { containerName: 'drill', operator: 'In', values } }],
    },
    template: {
      metadata: { labels: { ...pod?.labels, ...ownedLabels(owner.name), ...DRILL_COMPONENT }, ...podAnnotations(pod) },
      spec: podSpec(input),
    },
  };
}

function podSpec({ owner, backup, image, files, pod, database }: DrillInput) {
  const store = storeAccess(backup);
  return {
    ...podBasics(image, childNames(owner.name).serviceAccount),
    ...placement(pod),
    restartPolicy: 'Never',
    containers: [
      {
        name: 'drill',
        image: image.reference,
        imagePullPolicy: image.pullPolicy,
        args: [...drillArgs(database, WAIT_SECONDS), ...store.args],
        resources: containerResources(pod),
        securityContext: CONTAINER_SECURITY,
        volumeMounts: [...VOLUME_MOUNTS, ...store.mounts],
      },
    ],
    volumes: [...volumes(files), ...store.volumes],
  };
}

import type { RestoreSource } from '../api/backup-spec.ts';
import type { PodSpec } from '../api/pod-spec.ts';
import { storeAccess } from './backup-store.ts';
import { FINAL_EXIT_CODES } from './job-exit-codes.ts';
import { ownedLabels, ownedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';
import type { PodFiles, PodImage } from './pod-template.ts';
import {
  CONTAINER_SECURITY,
  DATABASE_MOUNTS,
  containerResources,
  databaseVolumes,
  placement,
  podBasics,
} from './pod-template.ts';
import { RESTORE_ARGS } from './program.ts';
import { INPUTS_ANNOTATION } from './upgrade-job.ts';

export interface RestoreInput {
  readonly owner: Owner;
  readonly source: RestoreSource;
  readonly inputsDigest: string;
  readonly image: PodImage;
  readonly files: PodFiles;
  readonly pod: PodSpec | undefined;
}

/** Fills the empty database once, before the first signing key; a killed one begins again. */
export function restoreJob(input: RestoreInput): Manifest {
  const { owner, source, image, files, pod } = input;
  const store = storeAccess(source);
  const metadata = ownedMetadata(owner, childNames(owner.name).restoreJob);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { ...metadata, annotations: { [INPUTS_ANNOTATION]: input.inputsDigest } },
    spec: {
      backoffLimit: 6,
      ttlSecondsAfterFinished: 86_400,
      podFailurePolicy: {
        rules: [
          { action: 'FailJob', onExitCodes: { containerName: 'restore', operator: 'In', values: FINAL_EXIT_CODES } },
        ],
      },
      template: {
        metadata: {
          labels: { ...pod?.labels, ...ownedLabels(owner.name), 'app.kubernetes.io/component': 'restore' },
          annotations: { ...pod?.annotations },
        },
        spec: {
          ...podBasics(image, childNames(owner.name).serviceAccount),
          ...placement(pod),
          restartPolicy: 'Never',
          containers: [
            {
              name: 'restore',
              image: image.reference,
              imagePullPolicy: image.pullPolicy,
              args: [...RESTORE_ARGS, ...store.args, '--backup', source.backupID],
              resources: containerResources(pod),
              securityContext: CONTAINER_SECURITY,
              volumeMounts: [...DATABASE_MOUNTS, ...store.mounts],
            },
          ],
          volumes: [...databaseVolumes(files), ...store.volumes],
        },
      },
    },
  };
}

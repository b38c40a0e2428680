import { EXIT_CODES } from '../../homeserver/contract/exit-codes.ts';
import type { ExpectedProgram } from '../../homeserver/contract/expected-program.ts';
import { GROUP } from '../api/matrix-homeserver.ts';
import type { PodSpec } from '../api/pod-spec.ts';
import { FINAL_EXIT_CODES } from './job-exit-codes.ts';
import { ownedLabels, ownedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import type { UpgradeJobKind } from './names.ts';
import { childNames } from './names.ts';
import type { PodFiles, PodImage } from './pod-template.ts';
import {
  CONTAINER_SECURITY,
  VOLUME_MOUNTS,
  containerResources,
  placement,
  podBasics,
  volumes,
} from './pod-template.ts';
import { CHECK_CONFIG_ARGS, migrateArgs, verifyArgs } from './program.ts';

/** Digest of what a Job was made from: a failed one is made again only when it differs. */
export const INPUTS_ANNOTATION = `${GROUP}/inputs`;

/** Those of an upgrade, in order, as the API asks: only what passes by itself (20, a signal) is tried again. */
const FINAL_FOR_UPGRADES: readonly number[] = [EXIT_CODES.failed, ...FINAL_EXIT_CODES, EXIT_CODES.unexpectedProgram];

/** How long a look at the database takes at most, however large it is; longer would only hold up the upgrade. */
const VERIFY_SECONDS = 60;
/** How long its Job may take in all, pods that find no node and servers that are away included. */
const VERIFY_DEADLINE_SECONDS = 600;

type Args = (expected: ExpectedProgram) => readonly string[];

const ARGS: Readonly<Record<UpgradeJobKind, Args>> = {
  preflight: (expected) => migrateArgs('plan', JSON.stringify(expected)),
  migrate: (expected) => migrateArgs('expand', JSON.stringify(expected)),
  verify: () => verifyArgs(VERIFY_SECONDS),
  contract: (expected) => migrateArgs('contract', JSON.stringify(expected)),
};

export interface UpgradeJobInput {
  readonly owner: Owner;
  readonly kind: UpgradeJobKind;
  /** 12 hex digits; part of the name. */
  readonly plan: string;
  readonly inputsDigest: string;
  /** What the catalogue says of the image. */
  readonly expected: ExpectedProgram;
  readonly image: PodImage;
  readonly files: PodFiles;
  readonly pod: PodSpec | undefined;
}

/**
 * Runs one part of an upgrade by the new image: a look that writes nothing, or migrations, which resume where a killed
 * Job stopped, under a lock in the database. Only migrations take as long as they need.
 */
export function upgradeJob(input: UpgradeJobInput): Manifest {
  const { owner, kind } = input;
  const metadata = ownedMetadata(owner, childNames(owner.name).upgradeJob(kind, input.plan));
  const containers = kind === 'preflight' ? ['check-config', kind] : [kind];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { ...metadata, annotations: { [INPUTS_ANNOTATION]: input.inputsDigest } },
    spec: {
      backoffLimit: 6,
      ...(kind === 'verify' ? { activeDeadlineSeconds: VERIFY_DEADLINE_SECONDS } : {}),
      ttlSecondsAfterFinished: 86_400,
      podFailurePolicy: {
        rules: containers.map((containerName) => ({
          action: 'FailJob',
          onExitCodes: { containerName, operator: 'In', values: FINAL_FOR_UPGRADES },
        })),
      },
      template: podTemplate(input),
    },
  };
}

function podTemplate(input: UpgradeJobInput) {
  const { owner, pod, kind, expected } = input;
  const main = container(input, kind, ARGS[kind](expected));
  const first = kind === 'preflight' ? [container(input, 'check-config', CHECK_CONFIG_ARGS)] : [];
  return {
    metadata: {
      labels: { ...pod?.labels, ...ownedLabels(owner.name), 'app.kubernetes.io/component': 'migration' },
      annotations: { ...pod?.annotations },
    },
    spec: {
      ...podBasics(input.image, childNames(owner.name).serviceAccount),
      ...placement(pod),
      restartPolicy: 'Never',
      ...(first.length > 0 ? { initContainers: first } : {}),
      containers: [main],
      volumes: volumes(input.files),
    },
  };
}

function container({ image, pod }: UpgradeJobInput, name: string, args: readonly string[]) {
  return {
    name,
    image: image.reference,
    imagePullPolicy: image.pullPolicy,
    args,
    resources: containerResources(pod),
    securityContext: CONTAINER_SECURITY,
    volumeMounts: VOLUME_MOUNTS,
  };
}

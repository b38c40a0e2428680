import { DRAIN_SECONDS, PORTS, PROBES } from '../../homeserver/contract/layout.ts';
import { GROUP } from '../api/matrix-homeserver.ts';
import type { PodSpec } from '../api/pod-spec.ts';
import { VERSION_LABEL, ownedLabels, ownedMetadata, podSelector } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';
import type { PodFiles, PodImage } from './pod-template.ts';
import {
  CONTAINER_SECURITY,
  POD_SECURITY,
  VOLUME_MOUNTS,
  containerResources,
  placement,
  podBasics,
  servingVolumes,
  volumes,
} from './pod-template.ts';
import { IMAGE_GROUP, SERVE_ARGS } from './program.ts';

/** Seconds between the moment a pod is taken out of the Service and SIGTERM: every node's proxy has heard of it by then. */
const SETTLE_SECONDS = 3;

export interface DeploymentInput {
  readonly owner: Owner;
  readonly replicas: number;
  readonly image: PodImage;
  readonly files: PodFiles;
  readonly pod: PodSpec | undefined;
  /** Whether several nodes may have the media volume at once; undefined without one. */
  readonly mediaAccess?: 'ReadWriteOnce' | 'ReadWriteMany' | undefined;
  /** Whether the platform chooses the group that owns volumes. */
  readonly groupIsGiven?: boolean;
  /** Version of the homeserver. */
  readonly version: string;
  /** How long a new pod has to be ready before the next old one goes, in seconds. */
  readonly minReadySeconds: number;
  /** How long a rollout may go without a new ready pod before it counts as failed, in seconds. */
  readonly deadlineSeconds: number;
  /** Keyed digest of every Secret that the pods read only at their start: a change rolls the pods. */
  readonly secretsChecksum: string;
  /** Generation of the keyring for whose sake the pods were replaced last; 0: none. A change rolls the pods. */
  readonly keyringRestart: number;
}

/**
 * Replicas that cannot serve are known for it within 4 s: three looks, a second apart, each of which says no within a second. The
 * answer itself may take 2 s, so that a replica that is only busy stays in the Service.
 */
const READINESS = { periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 3 };
/** Pods of a version that was released with another probe keep it: an upgrade of the operator restarts nothing. */
const EARLIER_READINESS: Readonly<Record<string, typeof READINESS>> = {
  '0.1.0': { periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 3 },
};

/** On the pods once they were replaced because they did not take a keyring. */
export const KEYRING_RESTART_ANNOTATION = `${GROUP}/keyring-restart`;

/** The serving replicas. */
export function deployment(input: DeploymentInput): Manifest {
  const { owner } = input;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: ownedMetadata(owner, childNames(owner.name).deployment),
    spec: {
      replicas: input.replicas,
      revisionHistoryLimit: 3,
      ...(input.minReadySeconds > 0 ? { minReadySeconds: input.minReadySeconds } : {}),
      progressDeadlineSeconds: input.deadlineSeconds,
      selector: { matchLabels: podSelector(owner.name) },
      strategy: { type: 'RollingUpdate', rollingUpdate: rollingUpdate(input) },
      template: podTemplate(input),
    },
  };
}

/** A volume of one node has to be let go by the old pod before the new one can have it. */
function rollingUpdate({ mediaAccess }: DeploymentInput) {
  return mediaAccess === 'ReadWriteOnce' ? { maxSurge: 0, maxUnavailable: 1 } : { maxSurge: 1, maxUnavailable: 0 };
}

function podTemplate(input: DeploymentInput) {
  const { owner, pod } = input;
  return {
    metadata: {
      labels: {
        ...pod?.labels,
        ...ownedLabels(owner.name),
        ...podSelector(owner.name),
        [VERSION_LABEL]: input.version,
      },
      annotations: {
        ...pod?.annotations,
        [`${GROUP}/secrets-checksum`]: input.secretsChecksum,
        ...(input.keyringRestart === 0 ? {} : { [KEYRING_RESTART_ANNOTATION]: String(input.keyringRestart) }),
      },
    },
    spec: {
      ...podBasics(input.image, childNames(owner.name).serviceAccount),
      ...placement(pod),
      securityContext: podSecurity(input),
      terminationGracePeriodSeconds: DRAIN_SECONDS + SETTLE_SECONDS + 7,
      topologySpreadConstraints: pod?.topologySpreadConstraints ?? [spreadOverNodes(owner.name)],
      containers: [container(input)],
      volumes: [...volumes(input.files), ...servingVolumes(input.files).map(({ volume }) => volume)],
    },
  };
}

/** Without a group of its own a volume belongs to root, and our pods are not root. */
function podSecurity({ files, groupIsGiven }: DeploymentInput) {
  if (files.mediaClaim === undefined || groupIsGiven === true) return POD_SECURITY;
  return { ...POD_SECURITY, fsGroup: IMAGE_GROUP, fsGroupChangePolicy: 'OnRootMismatch' };
}

function container(input: DeploymentInput) {
  return {
    name: 'homeserver',
    image: input.image.reference,
    imagePullPolicy: input.image.pullPolicy,
    args: SERVE_ARGS,
    ports: [
      { name: 'http', containerPort: PORTS.http, protocol: 'TCP' },
      { name: 'metrics', containerPort: PORTS.metrics, protocol: 'TCP' },
    ],
    resources: containerResources(input.pod),
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [...VOLUME_MOUNTS, ...servingVolumes(input.files).map(({ mount }) => mount)],
    lifecycle: { preStop: { sleep: { seconds: SETTLE_SECONDS } } },
    startupProbe: { ...probe(PROBES.live), timeoutSeconds: 5, periodSeconds: 1, failureThreshold: 120 },
    livenessProbe: { ...probe(PROBES.live), timeoutSeconds: 5, periodSeconds: 10, failureThreshold: 6 },
    readinessProbe: { ...probe(PROBES.ready), ...(EARLIER_READINESS[input.version] ?? READINESS) },
  };
}

function probe(path: string) {
  return { httpGet: { path, port: 'http' } };
}

function spreadOverNodes(name: string) {
  return {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: podSelector(name) },
  };
}

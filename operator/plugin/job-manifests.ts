import * as z from 'zod';
import type { MatrixHomeserver } from '../api/matrix-homeserver.ts';
import { API_VERSION, KIND } from '../api/matrix-homeserver.ts';
import { ownedLabels } from '../resources/labels.ts';
import { childNames } from '../resources/names.ts';
import { VERIFY_ARGS } from '../resources/program.ts';
import type { KubeObject, Manifest } from '../runtime/kube-object.ts';
import { SERVING_CONTAINER } from './pods.ts';
import { PluginError } from './terminal.ts';

const CronJob = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string(), uid: z.string() }),
  spec: z.looseObject({
    jobTemplate: z.looseObject({
      metadata: z
        .looseObject({
          labels: z.record(z.string(), z.string()).optional(),
          annotations: z.record(z.string(), z.string()).optional(),
        })
        .prefault({}),
      spec: z.looseObject({}),
    }),
  }),
});

/** A Job as the CronJob would make it, as `kubectl create job --from` does. `now` in Unix ms. */
export function jobFromCronJob(cronJob: KubeObject, now: number): Manifest {
  const { metadata, spec } = CronJob.parse(cronJob);
  const { labels, annotations } = spec.jobTemplate.metadata;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${metadata.name}-now-${seconds(now)}`,
      namespace: metadata.namespace,
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...annotations, 'cronjob.kubernetes.io/instantiate': 'manual' },
      // As the CronJob's own Jobs: its history limits collect them, and lastSuccessfulTime counts them.
      ownerReferences: [
        { apiVersion: 'batch/v1', kind: 'CronJob', name: metadata.name, uid: metadata.uid, controller: true },
      ],
    },
    spec: spec.jobTemplate.spec,
  };
}

const Named = z.looseObject({ name: z.string() });
const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  imagePullPolicy: z.string().optional(),
  resources: z.looseObject({}).optional(),
  securityContext: z.looseObject({}).optional(),
  volumeMounts: z.array(Named).default([]),
});
const Deployment = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({ containers: z.array(Container), volumes: z.array(Named).default([]) }),
    }),
  }),
});

/** What every pod that opens the database mounts; not the media volume, which may be of one node only. */
const NEEDED_VOLUMES = ['config', 'db', 'tmp', 'app', 'keyring'];

export interface VerifyJobOptions {
  readonly sample: number;
  readonly timeLimitSeconds: number;
  /** Unix ms. */
  readonly now: number;
}

/** Time for the image, a node and the connection, beside the looking. */
const STARTING_SECONDS = 300;

/**
 * A Job that runs `homeserver verify` with image, files and placement of the serving pods. Not in a serving pod: it
 * would take memory from users, and a lost connection would lose the report.
 */
export function verifyJob(homeserver: MatrixHomeserver, deployment: KubeObject, options: VerifyJobOptions): Manifest {
  const { name, namespace, uid } = homeserver.metadata;
  const labels = { ...ownedLabels(name), 'app.kubernetes.io/component': 'verify' };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${childNames(name).deployment}-verify-${seconds(options.now)}`,
      namespace,
      labels,
      ownerReferences: [{ apiVersion: API_VERSION, kind: KIND, name, uid }],
    },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: options.timeLimitSeconds + STARTING_SECONDS,
      ttlSecondsAfterFinished: 3600,
      template: { metadata: { labels }, spec: verifyPod(deployment, options) },
    },
  };
}

function verifyPod(deployment: KubeObject, { sample, timeLimitSeconds }: VerifyJobOptions) {
  const { containers, volumes, ...pod } = Deployment.parse(deployment).spec.template.spec;
  const serving = containers.find(({ name }) => name === SERVING_CONTAINER);
  if (serving === undefined) throw new PluginError(`the Deployment has no container ${SERVING_CONTAINER}`);
  const { image, imagePullPolicy, resources, securityContext, volumeMounts } = serving;
  const isNeeded = ({ name }: { name: string }) => NEEDED_VOLUMES.includes(name);
  const limits = ['--sample', String(sample), '--time-limit-seconds', String(timeLimitSeconds)];
  return {
    ...placementOf(pod),
    restartPolicy: 'Never',
    containers: [
      {
        name: 'verify',
        image,
        imagePullPolicy,
        args: [...VERIFY_ARGS, '--json', ...limits],
        resources,
        securityContext,
        volumeMounts: volumeMounts.filter(isNeeded),
      },
    ],
    volumes: volumes.filter(isNeeded),
  };
}

const PLACEMENT = [
  'serviceAccountName',
  'automountServiceAccountToken',
  'enableServiceLinks',
  'securityContext',
  'imagePullSecrets',
  'nodeSelector',
  'tolerations',
  'affinity',
  'priorityClassName',
];

function placementOf(pod: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(pod).filter(([field]) => PLACEMENT.includes(field)));
}

function seconds(now: number): string {
  return String(Math.floor(now / 1000));
}

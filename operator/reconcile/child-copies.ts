import * as z from 'zod';
import { KEYRING_RESTART_ANNOTATION } from '../resources/deployment.ts';
import { HOMESERVER_LABEL, SERVER_NAME_ANNOTATION, VERSION_LABEL } from '../resources/labels.ts';
import { INPUTS_ANNOTATION } from '../resources/upgrade-job.ts';
import type { ChildCopy } from '../runtime/apply.ts';
import { childCopy } from '../runtime/apply.ts';
import type { KubeObject } from '../runtime/kube-object.ts';
import { MANAGERS } from './kinds.ts';

// The API server writes null for fields that a controller left out.
const text = z
  .string()
  .nullish()
  .transform((found) => found ?? '');
const count = z
  .int()
  .nullish()
  .transform((found) => found ?? 0);

const StatusCondition = z.object({
  type: z.string(),
  status: z.string(),
  reason: text,
  message: text,
  lastTransitionTime: text,
});

const conditions = z
  .array(StatusCondition)
  .nullish()
  .transform((found) => found ?? []);

const DeploymentFields = z.object({
  spec: z.object({
    template: z.object({
      metadata: z
        .object({
          labels: z.record(z.string(), z.string()).nullish(),
          annotations: z.record(z.string(), z.string()).nullish(),
        })
        .nullish(),
      spec: z.object({
        containers: z.array(z.object({ image: text })),
        volumes: z.array(z.object({ name: z.string(), configMap: z.object({ name: text }).nullish() })).nullish(),
      }),
    }),
  }),
  status: z
    .object({
      observedGeneration: count,
      replicas: count,
      updatedReplicas: count,
      readyReplicas: count,
      conditions,
    })
    .prefault({}),
});

/** What is kept of a Deployment beside the usual. */
export interface DeploymentCopy extends ChildCopy {
  /** Version of the homeserver that its pods are of. */
  readonly version: string;
  readonly image: string;
  /** ConfigMap that its pods mount; empty when that cannot be told. */
  readonly configMap: string;
  /** Generation of the keyring for which the pods were replaced last; 0: none. */
  readonly keyringRestart: number;
  readonly observedGeneration: number;
  readonly replicas: number;
  readonly updatedReplicas: number;
  readonly readyReplicas: number;
  /** Why the rollout gets nowhere; undefined while it may. */
  readonly failure: string | undefined;
}

export function deploymentCopy(object: KubeObject): DeploymentCopy {
  const { spec, status } = DeploymentFields.parse(object);
  // Until the controller has looked at the newest generation, its conditions speak of an older one.
  const isCurrent = status.observedGeneration >= (object.metadata.generation ?? 0);
  const stuck = status.conditions.find(
    ({ type, reason }) => isCurrent && type === 'Progressing' && reason === 'ProgressDeadlineExceeded',
  );
  return {
    ...childCopy(object, MANAGERS.children),
    image: spec.template.spec.containers[0]?.image ?? '',
    configMap: spec.template.spec.volumes?.find(({ name }) => name === 'config')?.configMap?.name ?? '',
    ...templateMarks(spec.template.metadata ?? {}),
    observedGeneration: status.observedGeneration,
    replicas: status.replicas,
    updatedReplicas: status.updatedReplicas,
    readyReplicas: status.readyReplicas,
    failure: stuck?.message,
  };
}

type TemplateMetadata = NonNullable<z.infer<typeof DeploymentFields>['spec']['template']['metadata']>;

function templateMarks({ labels, annotations }: TemplateMetadata): Pick<DeploymentCopy, 'version' | 'keyringRestart'> {
  return {
    version: labels?.[VERSION_LABEL] ?? '',
    keyringRestart: Number(annotations?.[KEYRING_RESTART_ANNOTATION] ?? 0) || 0,
  };
}

const JobFields = z.object({ status: z.object({ conditions, ready: z.int().default(0) }).prefault({}) });

/** What is kept of a Job beside the usual. */
export interface JobCopy extends ChildCopy {
  readonly state: 'running' | 'complete' | 'failed';
  /** True while a pod of it runs, and not only waits for a node or its image. */
  readonly hasPod: boolean;
  /** Why it failed. */
  readonly message: string;
  /** True when it gave up after several tries, or a long wait, that may go better later. */
  readonly gaveUp: boolean;
  /** When it failed, RFC 3339; empty otherwise. */
  readonly failedAt: string;
  /** When it ended well, RFC 3339; empty otherwise. */
  readonly completedAt: string;
  /** Digest of what it was made from. */
  readonly inputs: string;
}

const GAVE_UP: readonly string[] = ['BackoffLimitExceeded', 'DeadlineExceeded'];

function failureOf(
  failed: z.infer<typeof StatusCondition> | undefined,
): Pick<JobCopy, 'message' | 'gaveUp' | 'failedAt'> {
  const { message = '', reason = '', lastTransitionTime: failedAt = '' } = failed ?? {};
  return { message, gaveUp: GAVE_UP.includes(reason), failedAt };
}

export function jobCopy(object: KubeObject): JobCopy {
  const { status } = JobFields.parse(object);
  const holds = (type: string) => status.conditions.find((one) => one.type === type && one.status === 'True');
  const failed = holds('Failed');
  const complete = holds('Complete');
  return {
    ...childCopy(object, MANAGERS.children),
    state: failed !== undefined ? 'failed' : complete !== undefined ? 'complete' : 'running',
    hasPod: status.ready > 0,
    ...failureOf(failed),
    completedAt: complete?.lastTransitionTime ?? '',
    inputs: object.metadata.annotations?.[INPUTS_ANNOTATION] ?? '',
  };
}

/** What is kept of a claim beside the usual. */
export interface ClaimCopy extends ChildCopy {
  /** Matrix server name whose files lie on it; undefined when it is not one of ours. */
  readonly serverName: string | undefined;
}

export function claimCopy(object: KubeObject): ClaimCopy {
  return {
    ...childCopy(object, MANAGERS.children),
    serverName: object.metadata.annotations?.[SERVER_NAME_ANNOTATION],
  };
}

export function plainCopy(object: KubeObject): ChildCopy {
  return childCopy(object, MANAGERS.children);
}

/** Queue key of the resource that a child belongs to, by its label. */
export function ownerKeys(child: Pick<ChildCopy, 'namespace' | 'labels'>): string[] {
  const owner = child.labels[HOMESERVER_LABEL];
  return owner === undefined || child.namespace === undefined ? [] : [`${child.namespace}/${owner}`];
}

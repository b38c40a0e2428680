import * as z from 'zod';
import { openObject, textMap } from './fields.ts';

const quantities = (what: string) =>
  z.record(z.string().max(253), z.union([z.int(), z.string().max(64)]).meta({ intOrString: true })).describe(what);

/** CPU and memory of a container, as in a pod. */
export const ContainerResources = (what: string) =>
  z
    .object({
      requests: quantities('What a pod is promised, by resource name.').optional(),
      limits: quantities('What a pod may use at most, by resource name.').optional(),
    })
    .describe(what);

export type ContainerResources = z.infer<ReturnType<typeof ContainerResources>>;

/** `spec.pod`: placement and size of the homeserver's pods. The security context is always the restricted one. */
export const PodSpec = z
  .object({
    resources: ContainerResources(
      'CPU and memory of a pod. Without it: requests of 100m and 256Mi, a memory limit of 1Gi.',
    ).optional(),
    labels: textMap('More labels on the pods.').optional(),
    annotations: textMap('More annotations on the pods.').optional(),
    nodeSelector: textMap('Labels that a node must have.').optional(),
    tolerations: z
      .array(openObject('A toleration as in a pod.'))
      .max(32)
      .optional()
      .describe('Taints that the pods tolerate.'),
    affinity: openObject('Affinity as in a pod.').optional(),
    topologySpreadConstraints: z
      .array(openObject('A topology spread constraint as in a pod.'))
      .max(16)
      .optional()
      .describe('How pods are spread; without it over nodes, as far as possible.'),
    priorityClassName: z.string().max(253).optional().describe('Priority class of the pods.'),
    serviceAccountAnnotations: textMap('Annotations on the service account of the pods.').optional(),
  })
  .describe('Placement and size of the pods.');

export type PodSpec = z.infer<typeof PodSpec>;

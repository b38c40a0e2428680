import * as z from 'zod';
import { kubectl } from '../../cluster/clients.ts';
import type { ClusterHandle } from '../../cluster/cluster.ts';
import { waitFor } from '../../support/wait-for.ts';
import { apiOf, PODS } from './api.ts';

export const OPERATOR_PODS = 'app.kubernetes.io/name=matrix-operator';

/** Selects the replicas of a resource. */
export const replicasOf = (name: string): string =>
  `matrix-operator.dev/homeserver=${name},app.kubernetes.io/name=homeserver`;

const Pod = z.looseObject({
  metadata: z.looseObject({ name: z.string(), deletionTimestamp: z.string().optional() }),
  status: z.looseObject({
    conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).optional(),
    containerStatuses: z.array(z.looseObject({ containerID: z.string().optional() })).optional(),
  }),
});

export interface ReadyPod {
  name: string;
  /** Of its first container, as the node's containerd knows it. */
  containerId: string;
}

/** The pods that are Ready and stay, by name. */
export async function findReadyPods(handle: ClusterHandle, namespace: string, selector: string): Promise<ReadyPod[]> {
  const { items } = await apiOf(handle).list(PODS, { namespace, labelSelector: selector });
  const ready = items
    .map((item) => Pod.parse(item))
    .filter(
      ({ metadata, status }) =>
        metadata.deletionTimestamp === undefined &&
        status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
    );
  return ready
    .map(({ metadata, status }) => ({
      name: metadata.name,
      containerId: status.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? '',
    }))
    .toSorted((a, b) => a.name.localeCompare(b.name));
}

/** Names of the pods that are Ready and stay. */
export async function readyPods(handle: ClusterHandle, namespace: string, selector: string): Promise<string[]> {
  return (await findReadyPods(handle, namespace, selector)).map(({ name }) => name);
}

/** Waits until as many other pods are Ready as were lost. */
export async function replaced(
  handle: ClusterHandle,
  namespace: string,
  selector: string,
  lost: readonly string[],
): Promise<string[]> {
  return waitFor(
    async () => {
      const pods = await readyPods(handle, namespace, selector);
      return pods.length === lost.length && pods.every((pod) => !lost.includes(pod)) ? pods : undefined;
    },
    { what: `other pods than ${lost.join(', ')} to be Ready`, timeoutMs: 120_000, everyMs: 100 },
  );
}

/** Takes a pod away without any grace, as when a machine is lost. */
export async function kill(handle: ClusterHandle, namespace: string, pod: string): Promise<void> {
  await kubectl(handle, [
    'delete',
    'pod',
    pod,
    '--namespace',
    namespace,
    '--force',
    '--grace-period=0',
    '--wait=false',
  ]);
}

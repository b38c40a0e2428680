import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import { createKubeClient } from '../../../operator/runtime/kube-client.ts';
import type { Resource } from '../../../operator/runtime/kube-object.ts';
import type { ClusterHandle } from '../../cluster/cluster.ts';

export const PODS: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
export const REPLICA_SETS: Resource = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  namespaced: true,
};

const clients = new Map<string, KubeClient>();

/**
 * The client for reads that are repeated until something holds: a kubectl started four times a second takes a good part
 * of a processor from what it waits for. One for each cluster, open until the process ends.
 */
export function apiOf({ kubeconfigPath: kubeconfig, contextName: context }: ClusterHandle): KubeClient {
  const key = `${kubeconfig} ${context}`;
  const known = clients.get(key);
  if (known !== undefined) return known;
  const client = createKubeClient({ kubeconfig, context, userAgent: 'e2e-tests' });
  clients.set(key, client);
  return client;
}

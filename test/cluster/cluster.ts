/** A cluster that is up. */
export interface ClusterHandle {
  provider: ProviderName;
  instance: string;
  kubeconfigPath: string;
  contextName: string;
  /** An address of a node at which its NodePorts answer from this machine. */
  nodeAddress: string;
  /** `http://<address>:<port>` of a NodePort Service, reachable from this machine. */
  baseUrl: (nodePort: number) => string;
}

export const providerNames = ['existing', 'kind', 'local'] as const;
export type ProviderName = (typeof providerNames)[number];

/** One way to have a real cluster. */
export interface ClusterProvider {
  name: ProviderName;
  /** Starts the cluster, or finds it running and healthy; repairs or rebuilds it otherwise. */
  up: () => Promise<ClusterHandle>;
  /** Removes all that `up` made; fine if there is nothing. A cluster that the user brought is left alone. */
  down: () => Promise<void>;
  /** The running cluster, or undefined; changes nothing. */
  find: () => Promise<ClusterHandle | undefined>;
  /** Brings an image archive (OCI or Docker) to the nodes under the name it holds, if the cluster has it not yet. */
  loadImage: (archive: string, reference: string) => Promise<void>;
  /** Runs containerd's own client (`ctr`) on the node and gives its standard output. Throws where the nodes are not ours. */
  ctr: (args: readonly string[]) => Promise<string>;
}

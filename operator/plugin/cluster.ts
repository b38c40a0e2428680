import { CATALOGUE } from '../upgrades/catalogue.ts';
import type { KubeClient } from '../runtime/kube-client.ts';
import { createKubeClient } from '../runtime/kube-client.ts';
import { readKubeconfig } from '../runtime/kubeconfig.ts';
import type { Terminal } from './terminal.ts';

/** Options that every command takes, as parseArgs wants them. */
export const CLUSTER_OPTIONS = {
  namespace: { type: 'string', short: 'n' },
  context: { type: 'string' },
  kubeconfig: { type: 'string' },
  output: { type: 'string', short: 'o' },
} as const;

export const CLUSTER_HELP = `  -n, --namespace NAME   namespace of the resource [that of the context]
  --context NAME         context of the kubeconfig [the current one]
  --kubeconfig FILE      [KUBECONFIG, else ~/.kube/config, else the service account of the pod]
  -o, --output json      JSON in place of text for people
  -h, --help             this text`;

export interface ClusterOptions {
  readonly namespace?: string | undefined;
  readonly context?: string | undefined;
  readonly kubeconfig?: string | undefined;
}

/** A cluster as one command line names it. */
export interface Cluster {
  readonly client: KubeClient;
  readonly namespace: string;
  /** As in $KUBECONFIG; undefined inside a pod. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
}

/** Field manager of what a person changes through the plugin. */
export const MANAGER = 'kubectl-matrix';

const FALLBACK_NAMESPACE = 'default';

/** Opens the cluster for as long as `work` takes. */
export async function withCluster<T>(
  options: ClusterOptions,
  at: Pick<Terminal, 'kubeconfig'>,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const { context, kubeconfig = at.kubeconfig } = options;
  const client = createKubeClient({ kubeconfig, context, userAgent: `kubectl-matrix/${CATALOGUE.default}` });
  try {
    return await work({
      client,
      kubeconfig,
      context,
      namespace: options.namespace ?? namespaceOf(kubeconfig, context),
    });
  } finally {
    await client.close();
  }
}

function namespaceOf(kubeconfig: string | undefined, context: string | undefined): string {
  if (kubeconfig === undefined) return FALLBACK_NAMESPACE;
  const config = readKubeconfig(kubeconfig, context);
  return config.getContextObject(config.getCurrentContext())?.namespace ?? FALLBACK_NAMESPACE;
}

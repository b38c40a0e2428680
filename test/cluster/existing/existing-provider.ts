import * as z from 'zod';
import { kubectl } from '../clients.ts';
import type { ClusterHandle, ClusterProvider } from '../cluster.ts';
import { loadKindImage } from '../kind/kind-command.ts';
import { userKubeconfig } from '../settings.ts';

/** The cluster behind a context that the user named: used as it is, never made or removed. */
export function existingProvider(contextName: string, instance: string): ClusterProvider {
  const up = (): Promise<ClusterHandle> => connect(contextName, instance);
  return {
    name: 'existing',
    up,
    down: () => Promise.resolve(),
    find: () => up().catch(() => undefined),
    loadImage: (archive, reference) => load(contextName, archive, reference),
    ctr: () =>
      Promise.reject(new Error(`the nodes of ${contextName} cannot be reached: use kind or the local cluster`)),
  };
}

const Nodes = z.object({
  items: z.array(
    z.object({ status: z.object({ addresses: z.array(z.object({ type: z.string(), address: z.string() })) }) }),
  ),
});

async function connect(contextName: string, instance: string): Promise<ClusterHandle> {
  const target = { kubeconfigPath: userKubeconfig(), contextName };
  const answer = await kubectl(target, ['get', 'nodes', '-o', 'json', '--request-timeout=15s']).catch(
    (cause: unknown) => {
      throw new Error(`the cluster of context ${contextName} does not answer: see "kubectl config get-contexts"`, {
        cause,
      });
    },
  );
  const addresses = Nodes.parse(JSON.parse(answer)).items.flatMap((node) => node.status.addresses);
  const pick = (type: string): string | undefined => addresses.find((address) => address.type === type)?.address;
  const nodeAddress = pick('ExternalIP') ?? pick('InternalIP');
  if (nodeAddress === undefined) throw new Error(`context ${contextName}: no node has an address`);
  const baseUrl = (nodePort: number): string => `http://${nodeAddress}:${nodePort}`;
  return { provider: 'existing', instance, ...target, nodeAddress, baseUrl };
}

async function load(contextName: string, archive: string, reference: string): Promise<void> {
  const kindCluster = /^kind-(.+)$/.exec(contextName)?.[1];
  if (kindCluster !== undefined) return loadKindImage(kindCluster, archive);
  throw new Error(
    `an image cannot be loaded into ${contextName}: push ${archive} (${reference}) to a registry that its nodes can ` +
      'read, for example with "skopeo copy", and name it in the chart value image',
  );
}

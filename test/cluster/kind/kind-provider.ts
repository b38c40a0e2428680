import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { kubectl } from '../clients.ts';
import type { ClusterHandle, ClusterProvider } from '../cluster.ts';
import { instanceDir, kubeconfigPath } from '../local/instance.ts';
import { step } from '../progress.ts';
import { runCommand } from '../run-command.ts';
import { readSettings } from '../settings.ts';
import { loadKindImage, runKind } from './kind-command.ts';

/** NodePorts that answer on this machine's loopback address, also where containers' own addresses cannot be reached. */
const publishedNodePorts = [30080, 30081, 30082, 30083, 30443, 30448] as const;

/** A cluster in Docker containers. */
export function kindProvider(instance: string): ClusterProvider {
  const dir = instanceDir(readSettings().stateDir, `kind-${instance}`);
  return {
    name: 'kind',
    up: () => up(instance, dir),
    down: async () => {
      await runKind(['delete', 'cluster', '--name', instance, '--kubeconfig', kubeconfigPath(dir)]);
    },
    find: async () => ((await clusters()).includes(instance) ? handleOf(instance, dir) : undefined),
    loadImage: (archive) => loadKindImage(instance, archive),
    ctr: (args) => runCommand('docker', ['exec', nodeOf(instance), 'ctr', '--namespace', 'k8s.io', ...args]),
  };
}

async function up(instance: string, dir: string): Promise<ClusterHandle> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if ((await clusters()).includes(instance)) {
    await runKind(['export', 'kubeconfig', '--name', instance, '--kubeconfig', kubeconfigPath(dir)]);
    const handle = await handleOf(instance, dir);
    const healthy = await kubectl(handle, ['get', '--raw', '/readyz']).catch(() => undefined);
    if (healthy !== undefined) return handle;
    await step(`removing the broken kind cluster ${instance}`, () =>
      runKind(['delete', 'cluster', '--name', instance]),
    );
  }
  const config = join(dir, 'kind.yaml');
  await writeFile(config, stringify(kindConfig()));
  const files = ['--config', config, '--kubeconfig', kubeconfigPath(dir)];
  await step(`starting the kind cluster ${instance}`, () =>
    runKind(['create', 'cluster', '--name', instance, '--wait', '180s', ...files]),
  );
  return handleOf(instance, dir);
}

async function clusters(): Promise<string[]> {
  return (await runKind(['get', 'clusters'])).split('\n');
}

/** kind's settings: one node whose published NodePorts get free ports of the loopback address. */
export function kindConfig(): object {
  const mapping = (containerPort: number): object => ({ containerPort, hostPort: 0, listenAddress: '127.0.0.1' });
  const node = { role: 'control-plane', extraPortMappings: publishedNodePorts.map(mapping) };
  return { kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4', nodes: [node] };
}

/** The container that is the node. */
function nodeOf(instance: string): string {
  return `${instance}-control-plane`;
}

async function handleOf(instance: string, dir: string): Promise<ClusterHandle> {
  const told = await runCommand('docker', ['port', nodeOf(instance)]);
  const ports = parsePorts(told);
  return {
    provider: 'kind',
    instance,
    kubeconfigPath: kubeconfigPath(dir),
    contextName: `kind-${instance}`,
    nodeAddress: '127.0.0.1',
    baseUrl: (nodePort) => {
      const local = ports.get(nodePort);
      if (local !== undefined) return `http://127.0.0.1:${local}`;
      throw new Error(`with kind use one of the NodePorts ${publishedNodePorts.join(', ')}, not ${nodePort}`);
    },
  };
}

/** Container port -> port of this machine, from the words of `docker port`: `30080/tcp -> 127.0.0.1:49153`. */
export function parsePorts(told: string): Map<number, number> {
  const lines = told.matchAll(/^(\d+)\/tcp -> .*:(\d+)$/gm);
  return new Map([...lines].map((line) => [Number(line[1]), Number(line[2])]));
}

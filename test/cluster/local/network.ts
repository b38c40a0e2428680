import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessIdentity } from '../process-identity.ts';
import { runCommand, tryCommand } from '../run-command.ts';
import { hostLinkOf, type Instance, instanceAt, SLOTS } from './instance.ts';
import { runInside } from './namespaces.ts';
import type { State } from './state-file.ts';

/**
 * Connects the node with this machine by a pair of virtual interfaces, in the first slot that is free, and prepares
 * the node's own network. The pair goes when the node's network namespace goes. The node has no default route: what
 * runs in the cluster reaches the cluster and this machine, nothing else.
 */
export async function connectNode(name: string, dir: string, init: ProcessIdentity): Promise<Instance> {
  const instance = await takeSlot(name, dir, init);
  const { hostLink, hostAddress, nodeAddress, podCidr, serviceCidr } = instance;
  await runCommand('ip', ['address', 'add', `${hostAddress}/30`, 'dev', hostLink]);
  await runCommand('ip', ['link', 'set', hostLink, 'up']);
  const script = [
    'ip link set lo up',
    `ip address add ${nodeAddress}/30 dev eth0`,
    'ip link set eth0 up',
    // A packet to a Service needs some route before kube-proxy's rules can send it on.
    'ip link add services type bridge',
    'ip link set services up',
    `ip route add ${serviceCidr} dev services`,
    'echo 1 >/proc/sys/net/ipv4/ip_forward',
  ];
  await runInside(init, ['sh', '-ec', script.join('\n')]);
  for (const range of [podCidr, serviceCidr]) {
    await runCommand('ip', ['route', 'add', range, 'via', nodeAddress, 'dev', hostLink]);
  }
  return instance;
}

/** Adding the interface is what takes a slot: of two that try at once only one can. */
async function takeSlot(name: string, dir: string, init: ProcessIdentity): Promise<Instance> {
  let refusal = '';
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const instance = instanceAt(name, dir, slot);
    if (existsSync(`/sys/class/net/${instance.hostLink}`)) continue;
    const peer = ['peer', 'name', 'eth0', 'netns', String(init.pid)];
    const added = await tryCommand('ip', ['link', 'add', instance.hostLink, 'type', 'veth', ...peer]);
    if (added.code === 0) return instance;
    refusal = added.stderr.trim();
    if (!refusal.includes('File exists')) break;
  }
  throw new Error(`no free slot for a cluster network: ${refusal || 'all are in use'}`);
}

/** The kernel's number of an interface of this machine; undefined if there is none of that name. */
export function linkIndexOf(link: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${link}/ifindex`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Whether the interface that the cluster wrote down is still there; one of the same name may be another cluster's. */
export function hasLink({ slot, linkIndex }: State): boolean {
  return linkIndex !== undefined && slot !== undefined && linkIndexOf(hostLinkOf(slot)) === linkIndex;
}

const pluginDirs = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];

/** The folder with the network plugins that pods need (Debian package containernetworking-plugins), or undefined. */
export function pluginDir(): string | undefined {
  return pluginDirs.find((dir) => ['ptp', 'host-local', 'loopback'].every((plugin) => existsSync(join(dir, plugin))));
}

/** Writes the pod network: one cable per pod (plugin ptp), so that all traffic is routed and passes kube-proxy's rules. */
export async function writePodNetwork(instance: Instance): Promise<void> {
  const dir = join(instance.dir, 'cni');
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, '10-pods.conflist'), `${JSON.stringify(podNetwork(instance), null, 2)}\n`);
}

export function podNetwork(instance: Instance): object {
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet: instance.podCidr }]],
    routes: [{ dst: '0.0.0.0/0' }],
    dataDir: join(instance.dir, 'pod-addresses'),
  };
  return { cniVersion: '0.4.0', name: 'pods', plugins: [{ type: 'ptp', ipMasq: false, ipam }] };
}

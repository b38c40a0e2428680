import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import * as z from 'zod';
import { type ApiAccess, apiRequest } from '../api-request.ts';
import { cachedPath } from '../binaries.ts';
import { pkiDir } from './control-plane.ts';
import type { Instance } from './instance.ts';
import { runInside } from './namespaces.ts';
import { pluginDir, writePodNetwork } from './network.ts';
import { type Component, ensureRunning, type NodeContext, waitForComponent } from './processes.ts';

/** The sandbox image; it must be in the node's store before any pod can start. */
export const PAUSE_IMAGE = 'localhost/matrix-operator-pause:1';

// Inside the node /run is a file system of its own, so the path is short and the same for every instance.
const SOCKET = '/run/containerd/containerd.sock';

export interface NodePrograms {
  containerd: string;
}

/** Writes the settings of containerd, kubelet and the pod network. */
export async function writeNodeFiles(instance: Instance, cgroup: string): Promise<void> {
  await mkdir(join(instance.dir, 'containerd'), { recursive: true });
  await mkdir(join(instance.dir, 'kubelet'), { recursive: true });
  await mkdir(join(instance.dir, 'pod-logs'), { recursive: true });
  await writePodNetwork(instance);
  const plugins = pluginDir();
  if (plugins === undefined) throw new Error('no network plugins: install containernetworking-plugins');
  await writeFile(join(instance.dir, 'containerd.toml'), containerdSettings(instance, plugins));
  await writeFile(join(instance.dir, 'kubelet.yaml'), stringify(kubeletSettings(instance, cgroup)));
  await writeFile(join(instance.dir, 'kube-proxy.yaml'), stringify(kubeProxySettings(instance)));
  await writeFile(join(instance.dir, 'resolv.conf'), `nameserver ${instance.nodeAddress}\n`);
}

/** Starts containerd alone: images can be loaded from then on. */
export async function startContainerd(node: NodeContext, instance: Instance, programs: NodePrograms): Promise<void> {
  await ensureRunning(node, containerd(instance, programs));
  await waitForComponent(node, 'containerd', async () => {
    await ctr(node, ['version']);
    return true;
  });
}

/** Starts kubelet and kube-proxy. */
export async function startKubelet(node: NodeContext, instance: Instance): Promise<void> {
  await Promise.all([ensureRunning(node, kubelet(instance)), ensureRunning(node, kubeProxy(instance))]);
}

export function nodeComponents(instance: Instance, programs: NodePrograms): Component[] {
  return [containerd(instance, programs), kubelet(instance), kubeProxy(instance)];
}

/** Runs containerd's own client on the images of Kubernetes. */
export function ctr(node: NodeContext, args: readonly string[], timeoutMs = 120_000): Promise<string> {
  return runInside(node.init, ['ctr', '--address', SOCKET, '--namespace', 'k8s.io', ...args], timeoutMs);
}

const NodeStatus = z.object({
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]) }),
});

/** Whether the node reports that it can run pods. */
export async function isNodeReady(access: ApiAccess, instance: Instance): Promise<boolean> {
  const { status, body } = await apiRequest(access, 'GET', `/api/v1/nodes/${instance.nodeName}`);
  if (status !== 200) return false;
  const { conditions } = NodeStatus.parse(JSON.parse(body)).status;
  return conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
}

function containerd(instance: Instance, { containerd: command }: NodePrograms): Component {
  return { name: 'containerd', command, args: ['--config', join(instance.dir, 'containerd.toml')] };
}

/** containerd's settings; restrict_oom_score_adj serves machines without CAP_SYS_RESOURCE. */
export function containerdSettings(instance: Instance, plugins: string): string {
  return `version = 2
root = ${JSON.stringify(join(instance.dir, 'containerd'))}
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "${SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${JSON.stringify(plugins)}
    conf_dir = ${JSON.stringify(join(instance.dir, 'cni'))}
`;
}

function kubelet(instance: Instance): Component {
  const args = [
    `--config=${join(instance.dir, 'kubelet.yaml')}`,
    `--kubeconfig=${join(pkiDir(instance), 'kubelet.kubeconfig')}`,
    `--root-dir=${join(instance.dir, 'kubelet')}`,
    `--hostname-override=${instance.nodeName}`,
    `--node-ip=${instance.nodeAddress}`,
    '--v=1',
  ];
  return { name: 'kubelet', command: cachedPath('kubelet'), args };
}

/** kubelet's settings: cgroup v1 is accepted, and a nearly full disk of the developer's machine evicts nothing. */
export function kubeletSettings(instance: Instance, cgroup: string): object {
  const pki = pkiDir(instance);
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: instance.nodeAddress,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(pki, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: join(pki, 'kubelet.crt'),
    tlsPrivateKeyFile: join(pki, 'kubelet.key'),
    containerRuntimeEndpoint: `unix://${SOCKET}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: cgroup,
    failCgroupV1: false,
    failSwapOn: false,
    featureGates: { KubeletInUserNamespace: true },
    localStorageCapacityIsolation: false,
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    clusterDNS: [instance.nodeAddress],
    clusterDomain: 'cluster.local',
    resolvConf: join(instance.dir, 'resolv.conf'),
    volumePluginDir: join(instance.dir, 'kubelet', 'volume-plugins'),
    podLogsDir: join(instance.dir, 'pod-logs'),
    containerLogMaxSize: '10Mi',
    containerLogMaxFiles: 2,
    // The defaults answer a changed Secret or ConfigMap within 60 s and report status every 10 s.
    syncFrequency: '10s',
    nodeStatusUpdateFrequency: '5s',
  };
}

function kubeProxy(instance: Instance): Component {
  const args = [`--config=${join(instance.dir, 'kube-proxy.yaml')}`, '--v=1'];
  return { name: 'kube-proxy', command: cachedPath('kube-proxy'), args };
}

/** kube-proxy's settings: a new endpoint answers within 0.1 s instead of 1 s, at a size where that costs nothing. */
export function kubeProxySettings(instance: Instance): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: join(pkiDir(instance), 'proxy.kubeconfig') },
    mode: 'nftables',
    nftables: { minSyncPeriod: '100ms' },
    conntrack: { maxPerCore: 0 },
    clusterCIDR: instance.podCidr,
    hostnameOverride: instance.nodeName,
    metricsBindAddress: '127.0.0.1:10249',
    healthzBindAddress: '127.0.0.1:10256',
  };
}

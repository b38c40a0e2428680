import { join } from 'node:path';
import { type ApiAccess, apiRequest, isApiReady } from '../api-request.ts';
import { cachedPath } from '../binaries.ts';
import { writeKubeconfig } from '../kubeconfig.ts';
import { apiServerArguments, apiServerCertificates, etcdArguments } from './api-server-arguments.ts';
import { type CertificateRequest, readCredential } from './certificates.ts';
import { type Instance, kubeconfigPath } from './instance.ts';
import { type Component, ensureRunning, type NodeContext, waitForComponent } from './processes.ts';

const API_PORT = 6443;
const ETCD_URL = 'http://127.0.0.1:2379';
const PEER_URL = 'http://127.0.0.1:2380';

/** Users of the cluster that get a kubeconfig of their own: `<name>.kubeconfig` beside the certificates. */
const users: readonly CertificateRequest[] = [
  { name: 'controller-manager', commonName: 'system:kube-controller-manager' },
  { name: 'scheduler', commonName: 'system:kube-scheduler' },
  { name: 'proxy', commonName: 'system:kube-proxy' },
  { name: 'dns', commonName: 'matrix-operator-dns' },
];

/** Every certificate of an instance. */
export function clusterCertificates(instance: Instance): CertificateRequest[] {
  return [
    ...apiServerCertificates(instance.nodeAddress, instance.apiServiceAddress),
    { name: 'kubelet-client', commonName: 'matrix-operator-api-server', organization: 'system:masters' },
    {
      name: 'kubelet',
      commonName: `system:node:${instance.nodeName}`,
      organization: 'system:nodes',
      alternativeNames: [`DNS:${instance.nodeName}`, `IP:${instance.nodeAddress}`],
    },
    ...users,
  ];
}

export function pkiDir(instance: Instance): string {
  return join(instance.dir, 'pki');
}

export function apiServerUrl(instance: Instance): string {
  return `https://${instance.nodeAddress}:${API_PORT}`;
}

export async function adminAccess(instance: Instance): Promise<ApiAccess> {
  return { server: apiServerUrl(instance), credential: await readCredential(pkiDir(instance), 'admin') };
}

/** Writes the user's kubeconfig and those of the components. */
export async function writeKubeconfigs(instance: Instance): Promise<void> {
  const server = apiServerUrl(instance);
  const pki = pkiDir(instance);
  const admin = await readCredential(pki, 'admin');
  await writeKubeconfig(kubeconfigPath(instance.dir), { name: instance.name, server, credential: admin });
  for (const name of ['kubelet', ...users.map((user) => user.name)]) {
    const credential = await readCredential(pki, name);
    await writeKubeconfig(join(pki, `${name}.kubeconfig`), { name: 'cluster', server, credential });
  }
}

interface ControlPlaneNeeds {
  /** Path of the program. */
  readonly etcd: string;
  /** Once the certificates are written. */
  readonly pki: Promise<void>;
}

/** Starts etcd and kube-apiserver and waits until that is ready. */
export async function startControlPlane(
  node: NodeContext,
  instance: Instance,
  { etcd, pki }: ControlPlaneNeeds,
): Promise<void> {
  await Promise.all([ensureRunning(node, etcdComponent(instance, etcd)), pki]);
  await ensureRunning(node, apiServer(instance));
  const access = await adminAccess(instance);
  await waitForComponent(node, 'kube-apiserver', () => isApiReady(access));
}

/** Starts the controllers and the scheduler; before the API server has its bootstrap roles the controllers would exit. */
export async function startControllers(node: NodeContext, instance: Instance): Promise<void> {
  await Promise.all(controllers(instance).map((component) => ensureRunning(node, component)));
}

/** Whether the controllers work: they make the default service account. */
export async function controllersWork(access: ApiAccess): Promise<boolean> {
  return (await apiRequest(access, 'GET', '/api/v1/namespaces/default/serviceaccounts/default')).status === 200;
}

/** The components that must be running, for a check of health. */
export function controlPlaneComponents(instance: Instance, etcd: string): Component[] {
  return [etcdComponent(instance, etcd), apiServer(instance), ...controllers(instance)];
}

function etcdComponent(instance: Instance, command: string): Component {
  return { name: 'etcd', command, args: etcdArguments(join(instance.dir, 'etcd'), ETCD_URL, PEER_URL) };
}

function apiServer(instance: Instance): Component {
  const pki = pkiDir(instance);
  const { nodeAddress: address, serviceCidr } = instance;
  const args = [
    ...apiServerArguments({ pki, address, port: API_PORT, etcd: ETCD_URL, serviceCidr }),
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    '--kubelet-preferred-address-types=InternalIP', // exec, logs and port-forward would try the node's name
    `--kubelet-certificate-authority=${join(pki, 'ca.crt')}`,
    `--kubelet-client-certificate=${join(pki, 'kubelet-client.crt')}`,
    `--kubelet-client-key=${join(pki, 'kubelet-client.key')}`,
  ];
  return { name: 'kube-apiserver', command: cachedPath('kube-apiserver'), args };
}

function controllers(instance: Instance): Component[] {
  const pki = pkiDir(instance);
  // One replica of each: an election would only make them exit when a busy machine misses a renewal.
  const common = (user: string): string[] => [
    `--kubeconfig=${join(pki, `${user}.kubeconfig`)}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    '--v=1',
  ];
  const manager = [
    ...common('controller-manager'),
    '--use-service-account-credentials=true',
    // Each of its forty controllers first gets an account: at the usual 20 requests a second that takes 5 s of a start.
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
    `--flex-volume-plugin-dir=${join(instance.dir, 'kubelet', 'volume-plugins')}`, // by default it makes one in /usr
    `--root-ca-file=${join(pki, 'ca.crt')}`,
    `--service-account-private-key-file=${join(pki, 'service-account.key')}`,
    `--cluster-signing-cert-file=${join(pki, 'ca.crt')}`,
    `--cluster-signing-key-file=${join(pki, 'ca.key')}`,
    `--service-cluster-ip-range=${instance.serviceCidr}`,
  ];
  return [
    { name: 'kube-controller-manager', command: cachedPath('kube-controller-manager'), args: manager },
    { name: 'kube-scheduler', command: cachedPath('kube-scheduler'), args: common('scheduler') },
  ];
}

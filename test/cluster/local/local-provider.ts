import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ApiAccess, isApiReady } from '../api-request.ts';
import { buildAll, clusterPrograms } from '../binaries.ts';
import type { ClusterHandle, ClusterProvider } from '../cluster.ts';
import { pauseImage } from '../images/pause-image.ts';
import { isAlive } from '../process-identity.ts';
import { withProcessLock } from '../process-lock.ts';
import { say, step } from '../progress.ts';
import { readSettings } from '../settings.ts';
import { issueCertificates } from './certificates.ts';
import { cgroupOf, createCgroup } from './cgroups.ts';
import {
  adminAccess,
  clusterCertificates,
  controllersWork,
  controlPlaneComponents,
  pkiDir,
  startControllers,
  startControlPlane,
  writeKubeconfigs,
} from './control-plane.ts';
import { dnsComponent, isDnsReady, startDns } from './dns.ts';
import { isolateFiles } from './file-systems.ts';
import { type Instance, instanceAt, instanceDir, kubeconfigPath } from './instance.ts';
import { startNamespaces } from './namespaces.ts';
import { connectNode, linkIndexOf, pluginDir } from './network.ts';
import {
  ctr,
  isNodeReady,
  nodeComponents,
  PAUSE_IMAGE,
  startContainerd,
  startKubelet,
  writeNodeFiles,
} from './node.ts';
import { ensurePrograms, nodePrograms, systemProgram } from './packages.ts';
import { pauseBinary } from '../images/pause-binary.ts';
import { findRunning, type NodeContext, waitForComponent } from './processes.ts';
import { readState, type State, writeState } from './state-file.ts';
import { tearDown } from './teardown.ts';
import { createVolumes } from './volumes.ts';

/** A cluster of one node made of this machine's own programs; needs Linux and root. */
export function localProvider(name: string): ClusterProvider {
  const dir = instanceDir(readSettings().stateDir, name);
  const locked = <T>(work: () => Promise<T>): Promise<T> =>
    withProcessLock(`local-${name}`, `another process works on the cluster ${name}`, work);
  return {
    name: 'local',
    up: () => locked(() => up(name, dir)),
    down: () => locked(() => tearDown(name, dir)),
    find: () => find(name, dir),
    loadImage: async (archive, reference) => loadImage(await runningNode(name, dir), archive, reference),
    ctr: async (args) => ctr(await runningNode(name, dir), args),
  };
}

interface Running {
  instance: Instance;
  node: NodeContext;
}

async function up(name: string, dir: string): Promise<ClusterHandle> {
  await ensurePrograms(nodePrograms, pluginDir() === undefined ? ['containernetworking-plugins'] : []);
  await buildAll(clusterPrograms);
  const recorded = await runningState(dir);
  if (recorded !== undefined) {
    const running = runningOf(name, dir, recorded);
    const repaired = recorded.programs === programsDigest(running.instance) ? await repair(running) : undefined;
    if (repaired !== undefined) return repaired;
    say(`- the cluster ${name} does not work or is of another version of this program: making a new one`);
  }
  await tearDown(name, dir);
  return step(`starting the cluster ${name}`, () => create(name, dir));
}

/** Starts again what has died of a whole cluster; undefined if that does not make it work. */
async function repair({ instance, node }: Running): Promise<ClusterHandle | undefined> {
  const missing = components(instance).filter(({ command }) => findRunning(node.init, command) === undefined);
  if (missing.length > 0) say(`- starting again: ${missing.map((component) => component.name).join(', ')}`);
  try {
    await startAll({ instance, node });
    return handleOf(instance);
  } catch (error) {
    say(`  ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function create(name: string, dir: string): Promise<ClusterHandle> {
  const state = await startInit(name, dir);
  const logDir = join(dir, 'logs');
  await mkdir(logDir, { recursive: true });
  await isolateFiles(state.init, dir);
  const instance = await connectNode(name, dir, state.init);
  const connected = { ...state, slot: instance.slot, linkIndex: linkIndexOf(instance.hostLink) };
  await writeState(dir, connected);
  const files = createCgroup(state.cgroup).then(() => writeNodeFiles(instance, state.cgroup));
  const pki = issueCertificates(pkiDir(instance), clusterCertificates(instance)).then(() => writeKubeconfigs(instance));
  await startAll({ instance, node: { init: state.init, logDir } }, { files, pki });
  const programs = programsDigest(instance);
  await writeState(dir, { ...connected, programs, complete: true });
  return handleOf(instance);
}

/** The order in which a crash at any point leaves either nothing or a state file that leads to all there is. */
async function startInit(name: string, dir: string): Promise<State> {
  const { init, keeper, release } = await startNamespaces(await pauseBinary());
  const state: State = { version: 1, name, init, keeper, cgroup: cgroupOf(name), complete: false };
  await writeState(dir, state);
  await release();
  return state;
}

/** What has to be written first: the settings of the node's programs, and the certificates. */
interface Prepared {
  readonly files: Promise<void>;
  readonly pki: Promise<void>;
}

const allWritten: Prepared = { files: Promise.resolve(), pki: Promise.resolve() };

/** Starts every component that is not running and waits until all of them work; each as soon as what it needs is there. */
async function startAll(running: Running, prepared: Prepared = allWritten): Promise<void> {
  const { instance, node } = running;
  const containerd = prepared.files
    .then(() => startContainerd(node, instance, { containerd: systemProgram('containerd') }))
    .then(async () => loadImage(node, (await pauseImage()).archive, PAUSE_IMAGE));
  const controlPlane = startControlPlane(node, instance, { etcd: systemProgram('etcd'), pki: prepared.pki });
  await Promise.all([containerd, controlPlane]);
  const access = await adminAccess(instance);
  await Promise.all([
    startKubelet(node, instance),
    startControllers(node, instance),
    startDns(node, instance, access),
    createVolumes(instance, access),
  ]);
  await waitUntilWorking(running, access);
}

async function waitUntilWorking({ instance, node }: Running, access: ApiAccess): Promise<void> {
  await Promise.all([
    waitForComponent(node, 'kubelet', () => isNodeReady(access, instance)),
    waitForComponent(node, 'kube-controller-manager', () => controllersWork(access)),
    waitForComponent(node, 'coredns', () => isDnsReady(instance)),
  ]);
  for (const { name, command } of components(instance)) {
    await waitForComponent(node, name, async () => findRunning(node.init, command) !== undefined, { timeoutMs: 1_000 });
  }
}

function components(instance: Instance): ReturnType<typeof controlPlaneComponents> {
  return [
    ...controlPlaneComponents(instance, systemProgram('etcd')),
    ...nodeComponents(instance, { containerd: systemProgram('containerd') }),
    dnsComponent(instance),
  ];
}

function programsDigest(instance: Instance): string {
  return createHash('sha256')
    .update(JSON.stringify(components(instance)))
    .digest('hex')
    .slice(0, 12);
}

async function loadImage(node: NodeContext, archive: string, reference: string): Promise<void> {
  const present = (await ctr(node, ['images', 'list', '--quiet'])).split('\n');
  if (present.includes(reference) && !reference.endsWith(':dev')) return;
  await ctr(node, ['images', 'import', archive], 300_000);
  const after = (await ctr(node, ['images', 'list', '--quiet'])).split('\n');
  if (!after.includes(reference)) throw new Error(`${archive} does not hold an image named ${reference}`);
}

/** The recorded state of an instance that is whole and whose processes still exist. */
async function runningState(dir: string): Promise<(State & { slot: number }) | undefined> {
  const state = await readState(dir);
  if (state?.slot === undefined || !state.complete || !isAlive(state.init)) return undefined;
  return { ...state, slot: state.slot };
}

function runningOf(name: string, dir: string, state: State & { slot: number }): Running {
  return { instance: instanceAt(name, dir, state.slot), node: { init: state.init, logDir: join(dir, 'logs') } };
}

async function runningNode(name: string, dir: string): Promise<NodeContext> {
  const state = await runningState(dir);
  if (state === undefined) throw new Error(`the cluster ${name} is not running: npm start`);
  return runningOf(name, dir, state).node;
}

async function find(name: string, dir: string): Promise<ClusterHandle | undefined> {
  const state = await runningState(dir);
  if (state === undefined) return undefined;
  const { instance } = runningOf(name, dir, state);
  const ready = await isApiReady(await adminAccess(instance)).catch(() => false);
  return ready ? handleOf(instance) : undefined;
}

function handleOf(instance: Instance): ClusterHandle {
  return {
    provider: 'local',
    instance: instance.name,
    kubeconfigPath: kubeconfigPath(instance.dir),
    contextName: instance.name,
    nodeAddress: instance.nodeAddress,
    baseUrl: (nodePort) => `http://${instance.nodeAddress}:${nodePort}`,
  };
}

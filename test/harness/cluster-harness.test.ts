import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { chooseProvider, loadImage } from '../cluster/choose-provider.ts';
import { kubectl, portForward } from '../cluster/clients.ts';
import type { ClusterHandle, ClusterProvider } from '../cluster/cluster.ts';
import { postgresImage } from '../cluster/images/postgres-image.ts';
import { cgroupFolders } from '../cluster/local/cgroups.ts';
import { hostLinkOf, instanceDir } from '../cluster/local/instance.ts';
import { hasLink } from '../cluster/local/network.ts';
import { findProgram } from '../cluster/local/packages.ts';
import { type NodeProcess, namespaceOf, processesIn } from '../cluster/local/namespaces.ts';
import { readState, type State } from '../cluster/local/state-file.ts';
import { isAlive } from '../cluster/process-identity.ts';
import { runCommand, tryCommand } from '../cluster/run-command.ts';
import { readSettings } from '../cluster/settings.ts';
import { waitFor } from '../support/wait-for.ts';

const canRun = process.platform === 'linux' && process.getuid?.() === 0;
const local = (instance: string): Promise<ClusterProvider> => chooseProvider({ provider: 'local', instance });
const mainFile = join(import.meta.dirname, '..', 'cluster', 'main.ts');
const first = 'harness-one';
const second = 'harness-two';
const third = 'harness-three';

afterAll(async () => {
  const instances = [first, second, third, ...phases.map(instanceOf)];
  for (const instance of canRun ? instances : []) await (await local(instance)).down();
});

let before: object;

test.runIf(canRun)('two clusters start at the same time and run pods side by side', async () => {
  before = await machine();
  const [one, two] = await Promise.all([up(first), up(second)]);
  expect(one.nodeAddress).not.toBe(two.nodeAddress);
  await Promise.all([runPod(one), runPod(two)]);
});

test.runIf(canRun)('a server in an image of ours is reached by name, by NodePort and by a forwarded port', async () => {
  const image = await postgresImage();
  const handle = await up(second);
  await loadImage(handle, image.archive, image.reference);
  await kubectl(handle, ['apply', '-f', '-'], { input: JSON.stringify(database(image.reference)) });
  await kubectl(handle, ['wait', '--for=condition=Available', 'deployment/database', '--timeout=120s'], {
    timeoutMs: 130_000,
  });
  const query = 'PGPASSWORD=secret /usr/lib/postgresql/*/bin/psql -h database -U postgres -At -c "select 6 * 7"';
  const ask = (): Promise<string> => kubectl(handle, ['exec', 'deployment/database', '--', 'sh', '-c', query]);
  expect(await waitFor(ask, { what: 'an answer through the Service', everyMs: 200 })).toBe('42\n');
  expect(await isListening(handle.baseUrl(30_432))).toBe(true);
  const forward = await portForward(handle, 'default', 'service/database', 5432);
  expect(await isListening(forward.baseUrl)).toBe(true);
  await forward.stop();
});

const victims = [
  { name: 'kube-apiserver', program: /\/kube-apiserver$/ },
  { name: 'etcd', program: /\/etcd$/ },
  { name: 'containerd and kubelet', program: /\/(containerd|kubelet)$/ },
];

test.runIf(canRun).for(victims)(
  'a cluster whose $name was killed is repaired with what it held',
  async ({ program }) => {
    const handle = await up(first);
    await runPod(handle);
    kill(insideOf(await stateOf(first)).filter((process) => program.test(process.command[0] ?? '')));
    const repaired = await up(first);
    expect(repaired.nodeAddress).toBe(handle.nodeAddress);
    const phase = (): Promise<string> => kubectl(repaired, ['get', 'pod', 'probe', '-o', 'jsonpath={.status.phase}']);
    await waitFor(async () => (await phase()) === 'Running', { what: 'the pod to be seen again', timeoutMs: 60_000 });
  },
);

test.runIf(canRun)('of a cluster that is taken down nothing is left, and another one runs on', async () => {
  const [, two] = [await up(first), await up(second)];
  const state = await stateOf(first);
  await (await local(first)).down();
  expectGone(state);
  expect(await kubectl(two, ['get', 'pod', 'probe', '-o', 'jsonpath={.status.phase}'])).toBe('Running');
});

test.runIf(canRun)(
  'an interface that another cluster has in its slot meanwhile does not hold up the end of one',
  async () => {
    const [state] = [await up(first).then(() => stateOf(first)), await up(second)];
    kill(insideOf(state).filter(({ pid }) => pid === state.init.pid));
    await waitFor(() => !hasLink(state), { what: 'the interface to go' });
    const link = hostLinkOf(state.slot ?? -1);
    // If it is there already, a real other cluster was faster: just as good.
    const added = await tryCommand('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'harness-peer']);
    await (await local(first)).down();
    expectGone(state);
    if (added.code === 0) await runCommand('ip', ['link', 'delete', link]);
  },
);

/** Kills some processes of a cluster that runs a pod; whatever is left of it then goes by `down`. */
async function crash(instance: string, chosen: (process: NodeProcess, index: number) => boolean): Promise<void> {
  const state = await stateOf(instance);
  const inside = insideOf(state).sort((left, right) => left.pid - right.pid);
  kill(inside.filter(chosen));
  await (await local(instance)).down();
  expectGone(state);
}

test.runIf(canRun)(
  'nothing is left of clusters and on the machine after a kill of everything but the pods',
  async () => {
    await runPod(await up(second));
    await crash(second, ({ command }) => !(command[0] ?? '').includes('pause'));
    await machineAsBefore(before);
  },
);

test.runIf(canRun)(
  'nothing is left after a kill of half of the processes, or of the first, or when the record was lost',
  async () => {
    const handles = await Promise.all([up(first), up(second), up(third)]);
    await Promise.all(handles.map(runPod));
    await crash(first, (_process, index) => index % 2 === 1);
    await crash(second, (_process, index) => index === 0);
    const state = await stateOf(third);
    await rm(join(instanceDir(readSettings().stateDir, third), 'state.json'));
    await (await local(third)).down();
    // Without the record it is not known what else to wait for, but it goes with the processes.
    await waitFor(() => (expectGone(state), true), { what: 'the cluster to be gone' });
  },
);

/** How far a start has come: what is there then and was not before. */
const phases = [
  { name: 'namespaces', isReached: (state: State) => isAlive(state.init) },
  { name: 'network', isReached: (state: State) => state.slot !== undefined },
  { name: 'etcd', isReached: (state: State) => runs(state, /\/etcd$/) },
  { name: 'kubelet', isReached: (state: State) => runs(state, /\/kubelet$/) },
];
type Phase = (typeof phases)[number];

const instanceOf = ({ name }: Phase): string => `harness-${name}`;

test.runIf(canRun)('nothing is left when the harness itself is killed at any time of starting a cluster', async () => {
  const idle = await machine();
  await Promise.all(phases.map(killedStart));
  // Killed before it wrote down which interface it takes: the kernel removes that a moment after the processes.
  await machineAsBefore(idle);
});

async function killedStart(phase: Phase): Promise<void> {
  const instance = instanceOf(phase);
  const dir = instanceDir(readSettings().stateDir, instance);
  const harness = spawn('node', [mainFile, 'up', '--provider', 'local', '--instance', instance], { stdio: 'ignore' });
  const reached = async (): Promise<State | undefined> => {
    const state = await readState(dir);
    return state !== undefined && phase.isReached(state) ? state : undefined;
  };
  const options = { what: `the start of a cluster to have come to ${phase.name}`, timeoutMs: 120_000, everyMs: 10 };
  const state = await waitFor(reached, options).finally(() => harness.kill('SIGKILL'));
  const latest = (await readState(dir)) ?? state;
  await (await local(instance)).down();
  expectGone(latest);
  await waitFor(() => mentionsOf(dir).length === 0, { what: 'every process of the cluster to be gone' });
}

function runs(state: State, program: RegExp): boolean {
  const namespace = namespaceOf(state.init.pid);
  return namespace !== undefined && processesIn(namespace).some(({ command }) => program.test(command[0] ?? ''));
}

async function up(instance: string): Promise<ClusterHandle> {
  return (await local(instance)).up();
}

async function runPod(handle: ClusterHandle): Promise<void> {
  const container = { name: 'pause', image: 'localhost/matrix-operator-pause:1', imagePullPolicy: 'Never' };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'probe' }, spec: { containers: [container] } };
  await kubectl(handle, ['apply', '-f', '-'], { input: JSON.stringify(pod) });
  await kubectl(handle, ['wait', '--for=condition=Ready', 'pod/probe', '--timeout=90s'], { timeoutMs: 100_000 });
}

/** PostgreSQL with a claim, under the restrictions of Pod Security's strictest level. */
function database(image: string): object {
  const labels = { app: 'database' };
  const securityContext = { runAsNonRoot: true, fsGroup: 999, seccompProfile: { type: 'RuntimeDefault' } };
  const container = {
    name: 'postgres',
    image,
    imagePullPolicy: 'Never',
    env: [{ name: 'POSTGRES_PASSWORD', value: 'secret' }],
    readinessProbe: { tcpSocket: { port: 5432 }, periodSeconds: 1 },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    volumeMounts: [{ name: 'data', mountPath: '/var/lib/postgresql/data' }],
  };
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'database' } }];
  const template = { metadata: { labels }, spec: { securityContext, containers: [container], volumes } };
  const metadata = { name: 'database' };
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  const service = { type: 'NodePort', selector: labels, ports: [{ port: 5432, nodePort: 30_432 }] };
  return {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: claim },
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { selector: { matchLabels: labels }, template } },
      { apiVersion: 'v1', kind: 'Service', metadata, spec: service },
    ],
  };
}

function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}

async function stateOf(instance: string): Promise<State> {
  const state = await readState(instanceDir(readSettings().stateDir, instance));
  if (state === undefined) throw new Error(`${instance} has no state`);
  return state;
}

function insideOf(state: State): NodeProcess[] {
  const namespace = namespaceOf(state.init.pid);
  if (namespace === undefined) throw new Error(`${state.name} does not run`);
  return processesIn(namespace);
}

function kill(processes: readonly NodeProcess[]): void {
  expect(processes.length).toBeGreaterThan(0);
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It went with another one.
    }
  }
}

function expectGone(state: State): void {
  const dir = instanceDir(readSettings().stateDir, state.name);
  expect(isAlive(state.init)).toBe(false);
  expect(isAlive(state.keeper)).toBe(false);
  expect(existsSync(dir)).toBe(false);
  expect(cgroupFolders(state.cgroup)).toEqual([]);
  expect(hasLink(state)).toBe(false);
  expect(mentionsOf(dir)).toEqual([]);
}

/** Processes whose command line or mounts name the folder, in any namespace of the machine. */
function mentionsOf(dir: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter(
    (pid) => Number(pid) !== process.pid && `${read(pid, 'cmdline')}${read(pid, 'mounts')}`.includes(dir),
  );
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** What a cluster could leave on the machine outside of its own namespaces; clusters of others come and go meanwhile. */
async function machine(): Promise<object> {
  const list = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir) : []);
  const iptables = findProgram('iptables-save');
  const routes = (await runCommand('ip', ['route', 'show', 'table', 'all'])).split('\n');
  const links = await linksOfOthers();
  return {
    mounts: readFileSync('/proc/self/mounts', 'utf8'),
    interfaces: readdirSync('/sys/class/net').filter((name) => !links.includes(name)),
    routes: routes.filter((route) => !links.some((link) => route.includes(` dev ${link} `))),
    rules: await runCommand('nft', ['list', 'tables']),
    iptables: iptables === undefined ? '' : (await runCommand(iptables, [])).replace(/^#.*$/gm, ''),
    namedNetworks: [...list('/run/netns'), ...list('/var/run/netns')],
    network: readlinkSync('/proc/self/ns/net'),
    folders: ['/var/lib/kubelet', '/var/lib/cni', '/etc/cni', '/usr/libexec/kubernetes', '/run/containerd'].filter(
      existsSync,
    ),
  };
}

/** Interfaces that clusters other than those of this file have written down. */
async function linksOfOthers(): Promise<string[]> {
  const { stateDir } = readSettings();
  const others = existsSync(stateDir) ? readdirSync(stateDir).filter((name) => !name.startsWith('harness-')) : [];
  const states = await Promise.all(others.map((name) => readState(join(stateDir, name))));
  return states.flatMap((state) => (state?.slot === undefined ? [] : [hostLinkOf(state.slot)]));
}

/** A cluster of somebody else that has just taken its interface has not written it down yet. */
async function machineAsBefore(before: object): Promise<void> {
  await waitFor(async () => isDeepStrictEqual(await machine(), before), { what: 'the machine to be as before' }).catch(
    async () => expect(await machine()).toEqual(before),
  );
}

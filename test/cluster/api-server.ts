import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../support/wait-for.ts';
import { type ApiAccess, isApiReady } from './api-request.ts';
import { binary } from './binaries.ts';
import { type ServerProcess, startServer } from './child-process.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { apiServerArguments, apiServerCertificates, etcdArguments } from './local/api-server-arguments.ts';
import { issueCertificates, readCredential } from './local/certificates.ts';
import { ensurePrograms, systemProgram } from './local/packages.ts';
import { readSettings } from './settings.ts';

/** A Kubernetes API server with its database and nothing else: no controllers, no garbage collection, no nodes. */
export interface ApiServer {
  /** `https://127.0.0.1:port`; the same after a restart. */
  server: string;
  kubeconfigPath: string;
  contextName: string;
  /** Certificates of an administrator, as PEM text. */
  credential: ApiAccess['credential'];
  /** Where both programs write. */
  logDir: string;
  /** `http://127.0.0.1:port` of the database, which takes everybody. */
  etcd: string;
}

/** An API server whose programs are ours to end. */
export interface ApiServerHandle extends ApiServer {
  /** Ends kube-apiserver at once, as a crash would; its data stay. */
  stop: () => Promise<void>;
  /** Starts it again on the same port and waits until it is ready. */
  start: () => Promise<void>;
  restart: () => Promise<void>;
  /** Ends both programs and removes everything; may be called twice. */
  dispose: () => Promise<void>;
  [Symbol.asyncDispose]: () => Promise<void>;
}

const ADDRESS = '127.0.0.1';
/** Nothing answers there. Wide, because each Service of a fleet takes an address. */
const SERVICE_CIDR = '198.19.0.0/16';
const API_SERVICE_ADDRESS = '198.19.0.1';
const READY_TIMEOUT_MS = 60_000;
const ATTEMPTS = 3;

/**
 * Starts etcd and kube-apiserver on free ports of the loopback address and waits until the server is ready.
 * Takes them from KUBEBUILDER_ASSETS if that is set; else etcd from the system and kube-apiserver from the cache, where
 * it is built first (minutes, once). Both end with this process, also when it is killed (on Linux).
 */
export async function startApiServer(given?: ApiServerPrograms): Promise<ApiServerHandle> {
  const programs = given ?? (await apiServerPrograms());
  for (let attempt = 1; ; attempt += 1) {
    const dir = await mkdtemp(join(tmpdir(), 'matrix-operator-api-'));
    try {
      return await startIn(dir, programs);
    } catch (error) {
      // Another program may have taken a port between our look and the start.
      await rm(dir, { recursive: true, force: true });
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

/** Paths of the programs. */
export interface ApiServerPrograms {
  etcd: string;
  apiServer: string;
}

/** Finds etcd and kube-apiserver; what is missing is installed or built, which takes minutes the first time. */
export async function apiServerPrograms(): Promise<ApiServerPrograms> {
  const assets = readSettings().kubebuilderAssets;
  if (assets !== undefined) return { etcd: asset(assets, 'etcd'), apiServer: asset(assets, 'kube-apiserver') };
  await ensurePrograms(['etcd', 'openssl']);
  return { etcd: systemProgram('etcd'), apiServer: await binary('kube-apiserver') };
}

function asset(dir: string, name: string): string {
  const path = join(dir, name);
  if (existsSync(path)) return path;
  throw new Error(`KUBEBUILDER_ASSETS is ${dir}, but there is no ${name} in it; unset it to use the harness's own`);
}

async function startIn(dir: string, programs: ApiServerPrograms): Promise<ApiServerHandle> {
  const [port, etcdPort, peerPort] = await freePorts();
  const etcdUrl = `http://${ADDRESS}:${etcdPort}`;
  await issueCertificates(join(dir, 'pki'), apiServerCertificates(ADDRESS, API_SERVICE_ADDRESS));
  const credential = await readCredential(join(dir, 'pki'), 'admin');
  const access: ApiAccess = { server: `https://${ADDRESS}:${port}`, credential };
  const kubeconfigPath = join(dir, 'kubeconfig');
  await writeKubeconfig(kubeconfigPath, { name: 'api-server', ...access });
  const place = { pki: join(dir, 'pki'), address: ADDRESS, port, etcd: etcdUrl, serviceCidr: SERVICE_CIDR };
  // Without controllers no namespace ever gets the service account that this plugin would ask of every pod.
  const apiArguments = [...apiServerArguments(place), '--disable-admission-plugins=ServiceAccount'];
  const etcdWords = etcdArguments(join(dir, 'etcd'), etcdUrl, `http://${ADDRESS}:${peerPort}`);
  const etcd = await startServer(programs.etcd, etcdWords, join(dir, 'etcd.log'));
  const startApi = (): Promise<ServerProcess> => startReady(programs.apiServer, apiArguments, dir, access);
  let api: ServerProcess;
  try {
    api = await startApi();
  } catch (error) {
    await etcd.kill();
    throw error;
  }
  const stop = (): Promise<void> => api.kill();
  const start = async (): Promise<void> => {
    if (!api.isRunning()) api = await startApi();
  };
  const dispose = async (): Promise<void> => {
    await api.kill();
    await etcd.kill();
    await rm(dir, { recursive: true, force: true });
  };
  return {
    ...{ ...access, kubeconfigPath, contextName: 'api-server', logDir: dir, etcd: etcdUrl, stop, start },
    restart: () => stop().then(start),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function startReady(command: string, args: string[], dir: string, access: ApiAccess): Promise<ServerProcess> {
  const logFile = join(dir, 'kube-apiserver.log');
  const started = await startServer(command, args, logFile);
  const readyOrDead = async (): Promise<'ready' | 'dead' | undefined> => {
    if (!started.isRunning()) return 'dead';
    return (await isApiReady(access)) ? 'ready' : undefined;
  };
  const what = 'kube-apiserver to be ready';
  const outcome = await waitFor(readyOrDead, { what, timeoutMs: READY_TIMEOUT_MS }).catch(() => 'late');
  if (outcome === 'ready') return started;
  await started.kill();
  const log = (await readFile(logFile, 'utf8')).trim().split('\n').slice(-8).join('\n');
  throw new Error(`kube-apiserver ${outcome === 'dead' ? 'ended' : 'was not ready in time'}:\n${log}`);
}

/** Three ports that nothing listens on now; all are held at once so that they differ. */
async function freePorts(): Promise<[number, number, number]> {
  const held = await Promise.all([holdPort(), holdPort(), holdPort()]);
  for (const { release } of held) await release();
  return [held[0].port, held[1].port, held[2].port];
}

function holdPort(): Promise<{ port: number; release: () => Promise<void> }> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, ADDRESS, () => {
      const address = server.address();
      if (address === null || typeof address === 'string') return reject(new Error('no port'));
      const release = (): Promise<void> =>
        new Promise((done) => {
          server.close(() => done());
        });
      resolve({ port: address.port, release });
    });
  });
}

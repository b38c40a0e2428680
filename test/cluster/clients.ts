import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { binary, cachedPath } from './binaries.ts';
import type { ClusterHandle } from './cluster.ts';
import { findProgram } from './local/packages.ts';
import { type CommandOptions, runCommand } from './run-command.ts';
import { childEnvironment, readSettings } from './settings.ts';

type Target = Pick<ClusterHandle, 'kubeconfigPath' | 'contextName'>;

/** Runs kubectl against a cluster and gives its standard output; built from source if it is not on PATH. */
export async function kubectl(target: Target, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const where = ['--kubeconfig', target.kubeconfigPath, '--context', target.contextName];
  const env = { KUBECACHEDIR: join(readSettings().cacheDir, 'kubectl'), ...options.env };
  return runCommand(await kubectlPath(), [...where, ...args], { ...options, env });
}

/** Runs helm against a cluster and gives its standard output; its own caches stay in the harness's folder. */
export async function helm(target: Target, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const where = ['--kubeconfig', target.kubeconfigPath, '--kube-context', target.contextName];
  const home = join(readSettings().cacheDir, 'helm');
  await mkdir(home, { recursive: true });
  const env = { HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home, ...options.env };
  return runCommand(await helmPath(), [...where, ...args], { timeoutMs: 300_000, ...options, env });
}

/** The pinned kubectl if it has been built, else the user's own, else it is built. */
async function kubectlPath(): Promise<string> {
  const pinned = cachedPath('kubectl');
  return existsSync(pinned) ? pinned : (findProgram('kubectl') ?? (await binary('kubectl')));
}

/** Helm of the pinned version; a version 3 on PATH would write other release records. */
async function helmPath(): Promise<string> {
  return binary('helm');
}

/** Folders with kubectl and helm as built here, for a user's PATH. */
export function clientFolders(): string[] {
  return [dirname(cachedPath('kubectl')), dirname(cachedPath('helm'))];
}

export interface Forward {
  /** `http://127.0.0.1:port` */
  baseUrl: string;
  stop: () => Promise<void>;
}

const FORWARD_TIMEOUT_MS = 30_000;

/** Forwards a free local port to a pod or Service (`service/name`), which works for every kind of cluster. */
export async function portForward(target: Target, namespace: string, to: string, port: number): Promise<Forward> {
  const where = ['--kubeconfig', target.kubeconfigPath, '--context', target.contextName, '--namespace', namespace];
  const args = [...where, 'port-forward', '--address', '127.0.0.1', to, `:${port}`];
  const child = spawn(await kubectlPath(), args, { stdio: ['ignore', 'pipe', 'pipe'], env: childEnvironment() });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = (): Promise<void> => {
    child.kill();
    return exited;
  };
  let output = '';
  const local = new Promise<number>((resolve, reject) => {
    const listen = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-4096);
      const found = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(output);
      if (found !== null) resolve(Number(found[1]));
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('error', reject);
    child.once('close', () => reject(new Error(`port-forward to ${to} ended: ${output.trim()}`)));
    AbortSignal.timeout(FORWARD_TIMEOUT_MS).addEventListener('abort', () => reject(new Error(`no port to ${to}`)));
  });
  try {
    return { baseUrl: `http://127.0.0.1:${await local}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

import { homedir } from 'node:os';
import { join } from 'node:path';

/** What the harness takes from the environment; nothing else in test/cluster reads process.env. */
export interface Settings {
  /** Built binaries, images and Go sources: safe to delete, costly to make again. */
  cacheDir: string;
  /** One folder for each running local instance. */
  stateDir: string;
  /** Folder with etcd, kube-apiserver and kubectl, by the convention of envtest. */
  kubebuilderAssets: string | undefined;
  /** Context of a cluster the user wants to be used. */
  context: string | undefined;
  path: string;
}

export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const cacheHome = nonEmpty(env['XDG_CACHE_HOME']) ?? join(homedir(), '.cache');
  const stateHome = nonEmpty(env['XDG_STATE_HOME']) ?? join(homedir(), '.local', 'state');
  return {
    cacheDir: join(cacheHome, 'matrix-operator'),
    stateDir: join(stateHome, 'matrix-operator'),
    kubebuilderAssets: nonEmpty(env['KUBEBUILDER_ASSETS']),
    context: nonEmpty(env['MATRIX_OPERATOR_CONTEXT']),
    path: `${env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`,
  };
}

/** The kubeconfig that kubectl would use for this user. */
export function userKubeconfig(env: NodeJS.ProcessEnv = process.env): string {
  return nonEmpty(env['KUBECONFIG']?.split(':')[0]) ?? join(homedir(), '.kube', 'config');
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}

/** The environment of every child process: ours, with the administrator's folders on PATH. */
export function childEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: readSettings().path, ...extra };
}

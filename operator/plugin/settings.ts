import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What the environment says; the only reader of it in the plugin. */
export interface Settings {
  /** As in $KUBECONFIG; undefined: the pod's own service account. */
  readonly kubeconfig: string | undefined;
  /** $NO_COLOR is set (https://no-color.org), or the terminal cannot show colours. */
  readonly noColour: boolean;
}

export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const { KUBECONFIG: named = '', NO_COLOR: noColour = '', TERM: term } = env;
  const usual = join(homedir(), '.kube', 'config');
  const found = named !== '' ? named : existsSync(usual) ? usual : undefined;
  return { kubeconfig: found, noColour: noColour !== '' || term === 'dumb' };
}

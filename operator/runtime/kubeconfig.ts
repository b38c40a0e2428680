import { existsSync } from 'node:fs';
import { delimiter } from 'node:path';
// The file, not the package: a bundle then leaves out most of the generated API classes.
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';

/**
 * One or more kubeconfig files as kubectl reads $KUBECONFIG: those that are missing are passed over, and what an earlier
 * one says stands. `context` undefined: the current one.
 */
export function readKubeconfig(files: string, context: string | undefined): KubeConfig {
  const named = files.split(delimiter).filter((file) => file !== '');
  const [first, ...rest] = named.length > 1 ? named.filter((file) => existsSync(file)) : named;
  if (first === undefined) throw new Error(`none of the kubeconfig files ${named.join(', ')} is there`);
  const config = load(first);
  for (const file of rest) addMissing(config, load(file));
  if (context !== undefined) config.setCurrentContext(context);
  return config;
}

function load(file: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(file);
  return config;
}

function addMissing(config: KubeConfig, more: KubeConfig): void {
  const isNew = (known: readonly { name: string }[]) => (one: { name: string }) =>
    !known.some(({ name }) => name === one.name);
  more.clusters.filter(isNew(config.clusters)).forEach((cluster) => config.addCluster(cluster));
  more.users.filter(isNew(config.users)).forEach((user) => config.addUser(user));
  more.contexts.filter(isNew(config.contexts)).forEach((one) => config.addContext(one));
  if ((config.currentContext ?? '') === '') config.setCurrentContext(more.currentContext);
}

import { type ClusterHandle, type ClusterProvider, type ProviderName, providerNames } from './cluster.ts';
import { existingProvider } from './existing/existing-provider.ts';
import { dockerAnswers } from './images/engine.ts';
import { kindProvider } from './kind/kind-provider.ts';
import { checkInstanceName } from './local/instance.ts';
import { localProvider } from './local/local-provider.ts';
import { step } from './progress.ts';
import { readSettings } from './settings.ts';

export const DEFAULT_INSTANCE = 'matrix-operator';

export interface ClusterChoice {
  provider?: string | undefined;
  /** Context of the user's own cluster; implies the provider `existing`. */
  context?: string | undefined;
  instance?: string | undefined;
}

/**
 * The provider a user asked for, or the first that fits: a named context (also in MATRIX_OPERATOR_CONTEXT), kind if a
 * Docker engine answers, the local one for root on Linux. Throws with advice if none does.
 */
export async function chooseProvider(choice: ClusterChoice = {}): Promise<ClusterProvider> {
  const instance = checkInstanceName(choice.instance ?? DEFAULT_INSTANCE);
  const context = choice.context ?? readSettings().context;
  const name = choice.provider === undefined ? await fitting(context) : checkName(choice.provider);
  switch (name) {
    case 'existing':
      if (context === undefined) throw new Error('--provider existing: name the cluster with --context NAME');
      return existingProvider(context, instance);
    case 'kind':
      return kindProvider(instance);
    case 'local':
      if (!canRunLocal()) throw new Error('--provider local needs Linux and root: sudo -E npm start');
      return localProvider(instance);
  }
}

async function fitting(context: string | undefined): Promise<ProviderName> {
  if (context !== undefined) return 'existing';
  if (await dockerAnswers()) return 'kind';
  if (canRunLocal()) return 'local';
  throw new Error(
    'no way to have a cluster here: start Docker, or name the context of a cluster (--context NAME), ' +
      'or on Linux run as root (sudo -E npm start)',
  );
}

function checkName(name: string): ProviderName {
  const found = providerNames.find((known) => known === name);
  if (found === undefined) throw new Error(`--provider ${name}: use one of ${providerNames.join(', ')}`);
  return found;
}

function canRunLocal(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0;
}

/** Removes the cluster of this name of every provider, or of the named one only; a user's own cluster is left alone. */
export async function removeClusters(choice: ClusterChoice): Promise<void> {
  if (choice.provider !== undefined || choice.context !== undefined) return (await chooseProvider(choice)).down();
  const instance = checkInstanceName(choice.instance ?? DEFAULT_INSTANCE);
  if (canRunLocal()) await step(`removing the local cluster ${instance}`, () => localProvider(instance).down());
  if (!(await dockerAnswers())) return;
  await step(`removing the kind cluster ${instance}`, () => kindProvider(instance).down());
}

/** Brings an image to a cluster that is up. */
export async function loadImage(handle: ClusterHandle, archive: string, reference: string): Promise<void> {
  const { provider, contextName, instance } = handle;
  const chosen = await chooseProvider({ provider, context: contextName, instance });
  await chosen.loadImage(archive, reference);
}

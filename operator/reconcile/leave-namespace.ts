import type { HomeserverCopy } from './homeserver-copy.ts';
import type { Environment } from './environment.ts';
import { hasFinalizer, isTerminating, removeFinalizer } from './finalizer.ts';

/**
 * Called when the process is told to stop: if its own namespace is being deleted, nobody will be left to drop databases
 * there, so its resources are let go. Never throws; what fails is logged.
 */
export async function leaveNamespace(env: Environment): Promise<void> {
  const { namespace } = env.settings.serviceAccount;
  const held = env.caches.homeservers
    .values()
    .map(({ resource }: HomeserverCopy) => resource)
    .filter((one) => one !== undefined)
    .filter((homeserver) => homeserver.metadata.namespace === namespace && hasFinalizer({ env, homeserver }));
  if (held.length === 0) return;
  try {
    if (!(await isTerminating({ env }, namespace))) return;
    for (const homeserver of held) {
      await removeFinalizer({ env, homeserver });
      env.metrics.orphanedDatabases.inc();
      const { server = 'unknown server', name = 'unknown' } = homeserver.status.database ?? {};
      const err = `database ${name} on ${server} stays: the namespace of the operator is being deleted`;
      env.log.error({ namespace, name: homeserver.metadata.name, step: 'stop', err }, 'a database was left behind');
    }
  } catch (error) {
    env.log.error({ namespace, step: 'stop', err: error }, 'the finalizers of this namespace could not be removed');
  }
}

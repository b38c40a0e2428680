import { publicKeyTerm } from './caches.ts';
import { isOlder } from './resolve.ts';
import type { StepContext } from './step.ts';

/**
 * Finds the older resource that uses a public key, by its status: two servers with one key can speak for each other, and the
 * younger of them stalls.
 */
export function keysElsewhere({ env, homeserver }: StepContext): Pick<ReadonlyMap<string, string>, 'get'> {
  return {
    get(publicKey) {
      for (const { resource } of env.caches.homeservers.find(publicKeyTerm(publicKey))) {
        if (resource === undefined || resource.metadata.uid === homeserver.metadata.uid) continue;
        if (isOlder(resource, homeserver)) return `${resource.metadata.namespace}/${resource.metadata.name}`;
      }
      return undefined;
    },
  };
}

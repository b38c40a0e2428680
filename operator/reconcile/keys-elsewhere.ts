import { isOlder } from './resolve.ts';
import type { StepContext } from './step.ts';

/**
 * Public keys of all older resources, by their status, with the resource that has each: two servers with one key can
 * speak for each other, and the younger of them stalls.
 */
export function keysElsewhere({ env, homeserver }: StepContext): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { resource } of env.caches.homeservers.values()) {
    if (resource === undefined || resource.metadata.uid === homeserver.metadata.uid) continue;
    if (!isOlder(resource, homeserver)) continue;
    for (const { publicKey } of resource.status.signingKeys ?? []) {
      if (publicKey !== undefined) found.set(publicKey, `${resource.metadata.namespace}/${resource.metadata.name}`);
    }
  }
  return found;
}

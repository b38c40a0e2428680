import { ownedMetadata, podSelector } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';

/** One replica at a time may be evicted; undefined for a single replica, which must never block the drain of a node. */
export function podDisruptionBudget(owner: Owner, replicas: number): Manifest | undefined {
  if (replicas < 2) return undefined;
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: ownedMetadata(owner, childNames(owner.name).podDisruptionBudget),
    spec: { maxUnavailable: 1, selector: { matchLabels: podSelector(owner.name) } },
  };
}

import type { UpgradePhase } from '../api/upgrade-status.ts';
import type { Caches } from './caches.ts';
import type { HomeserverCopy } from './homeserver-copy.ts';

/** Whether an automatic upgrade may begin now. */
export interface UpgradeTurns {
  /** True: `key` has one of the turns, from now on. */
  take(key: string): boolean;
  /** Gives it back. */
  release(key: string): void;
}

/** A failed one keeps its turn: a version that breaks a few servers does not go on to all others. */
const UNDER_WAY: readonly UpgradePhase[] = ['Preflight', 'BackingUp', 'Expanding', 'Rolling', 'Verifying', 'Failed'];

/**
 * At most `most` automatic upgrades at a time. Statuses tell who is at it, also after a restart of the operator; what was
 * given out since is kept here, because they follow late.
 */
export function createUpgradeTurns(homeservers: Caches['homeservers'], most: number): UpgradeTurns {
  const given = new Set<string>();
  return {
    take(key) {
      if (given.has(key)) return true;
      const underWay = homeservers.values().filter(isUnderWay);
      const busy = new Set([...given, ...underWay.map(({ key: other }) => other)]);
      if (!busy.has(key) && busy.size >= most) return false;
      given.add(key);
      return true;
    },
    release(key) {
      given.delete(key);
    },
  };
}

function isUnderWay({ resource }: HomeserverCopy): boolean {
  const { phase, plan } = resource?.status.upgrade ?? {};
  return plan?.kind === 'Upgrade' && phase !== undefined && UNDER_WAY.includes(phase);
}

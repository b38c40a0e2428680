import type { UpgradeStatus } from '../api/upgrade-status.ts';
import type { UpgradeRecord } from '../upgrades/plan-upgrade.ts';
import type { UpgradeDecision } from './decide-upgrade.ts';
import { migrationProgress } from './migration-progress.ts';
import { rfc3339 } from './rfc3339.ts';

const RESULTS = { Install: 'Installed', Upgrade: 'Upgraded', Rollback: 'RolledBack' } as const;

/** `status.upgrade`; everything in it can be found again in the database. */
export function upgradeStatus(decision: UpgradeDecision): UpgradeStatus {
  const { plan, phase, contractAt, facts } = decision;
  const progress = migrationProgress(decision);
  const last = facts.record === undefined ? undefined : lastOf(facts.record);
  return {
    ...(phase === undefined ? {} : { phase, plan }),
    ...(progress === undefined ? {} : { progress }),
    ...(contractAt === undefined ? {} : { contractAt: rfc3339(contractAt) }),
    ...(last === undefined ? {} : { last }),
  };
}

function lastOf({ plan, verifiedAt }: UpgradeRecord): UpgradeStatus['last'] {
  if (verifiedAt === undefined) return undefined;
  return { to: plan.to, result: RESULTS[plan.kind], finishedAt: rfc3339(verifiedAt) };
}

import type { ObservedVersions } from '../conditions/observed.ts';
import { newerThan, versionsOf } from '../upgrades/catalogue.ts';
import { olderThatFit } from '../upgrades/plan-upgrade.ts';
import { compareVersions } from '../upgrades/semver.ts';
import type { UpgradeDecision } from './decide-upgrade.ts';
import { rfc3339 } from './rfc3339.ts';
import type { StepContext } from './step.ts';

/** Where one could go from the version that is deployed: newer ones of the catalogue, older ones by the database. */
export function observedVersions(
  { env }: StepContext,
  { plan, facts, contractAt }: UpgradeDecision,
  deployed: string | undefined,
): ObservedVersions {
  const { catalogue } = env.settings;
  const current = deployed ?? plan.to;
  const compatVersion = facts.schema?.compatVersion ?? 0;
  return {
    current,
    available: newerThan(catalogue, current),
    rollbackTo: olderThatFit(catalogue, current, compatVersion).reverse(),
    hasOlder: versionsOf(catalogue).some((one) => compareVersions(one, current) < 0),
    contractAt: contractAt === undefined ? undefined : rfc3339(contractAt),
  };
}

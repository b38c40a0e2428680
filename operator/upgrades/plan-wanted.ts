import type { Catalogue } from './catalogue.ts';
import type { UpgradeRecord } from './plan-upgrade.ts';
import { compareVersions } from './semver.ts';

export interface WantedInput {
  readonly catalogue: Catalogue;
  /** `spec.version`. */
  readonly version: string | undefined;
  readonly approval: 'OnSpecChange' | 'Required' | 'Automatic';
  readonly record: UpgradeRecord | undefined;
  /** Version that the Deployment asks for. */
  readonly running: string | undefined;
}

/**
 * The version to run: what the spec names; else the one that served last, so that taking a broken version out of the
 * spec leads back; else, for a new server, the default. Automatic follows the default upwards.
 */
export function wantedVersion({ catalogue, version, approval, record, running }: WantedInput): string {
  if (version !== undefined) return version;
  const settled = record === undefined ? running : servedLast(record);
  if (settled === undefined) return catalogue.default;
  const isNewer = approval === 'Automatic' && compareVersions(catalogue.default, settled) > 0;
  return isNewer ? catalogue.default : settled;
}

function servedLast({ plan, verifiedAt }: UpgradeRecord): string {
  return verifiedAt !== undefined ? plan.to : (plan.from ?? plan.to);
}

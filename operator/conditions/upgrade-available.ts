import type { ConditionResult, Observed } from './observed.ts';

/** The catalogue has a newer version than the one that is deployed. Does not gate Ready. */
export function upgradeAvailable({ versions }: Observed): ConditionResult {
  const type = 'UpgradeAvailable';
  if (versions === undefined) return { type, status: 'Unknown', reason: 'Pending', message: 'waits for the database' };
  const { current, available } = versions;
  return available === undefined
    ? { type, status: 'False', reason: 'OK', message: `${current} is the newest version that the operator knows` }
    : { type, status: 'True', reason: 'NewerInCatalogue', message: `${available} is newer than ${current}` };
}

import type { ConditionResult, Observed } from './observed.ts';

/** An older version could still run on this database. Does not gate Ready. */
export function rollbackPossible({ versions }: Observed): ConditionResult {
  const type = 'RollbackPossible';
  if (versions === undefined) return { type, status: 'Unknown', reason: 'Pending', message: 'waits for the database' };
  const { rollbackTo, hasOlder, contractAt } = versions;
  if (rollbackTo.length > 0) {
    const until = contractAt === undefined ? '' : ` until ${contractAt}`;
    return { type, status: 'True', reason: 'WindowOpen', message: `to ${rollbackTo.slice(0, 5).join(', ')}${until}` };
  }
  return hasOlder
    ? { type, status: 'False', reason: 'Contracted', message: 'the database has left older versions behind' }
    : { type, status: 'False', reason: 'NoOlderVersion', message: 'the operator knows no older version' };
}

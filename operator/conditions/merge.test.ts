import { expect, test } from 'vitest';
import type { Condition } from '../api/status.ts';
import { mergeConditions } from './merge.ts';

const before: Condition[] = [
  {
    type: 'Ready',
    status: 'False',
    reason: 'Rolling',
    message: 'a',
    lastTransitionTime: 'then',
    observedGeneration: 1,
  },
];
const at = { generation: 2, now: 'now' };

test('the transition time stays while the status does, whatever happens to reason and message', () => {
  const merged = mergeConditions(before, [{ type: 'Ready', status: 'False', reason: 'Migrating', message: 'b' }], at);
  expect(merged).toEqual([
    {
      type: 'Ready',
      status: 'False',
      reason: 'Migrating',
      message: 'b',
      lastTransitionTime: 'then',
      observedGeneration: 2,
    },
  ]);
});

test('the transition time moves with the status, and a new condition starts now', () => {
  const merged = mergeConditions(
    before,
    [
      { type: 'Ready', status: 'True', reason: 'Serving', message: '' },
      { type: 'Paused', status: 'False', reason: 'NotPaused', message: '' },
    ],
    at,
  );
  expect(merged.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual(['now', 'now']);
});

test('a message longer than the schema allows is cut', () => {
  const [merged] = mergeConditions(
    [],
    [{ type: 'Ready', status: 'False', reason: 'Rolling', message: 'x'.repeat(9000) }],
    at,
  );
  expect(merged?.message.length).toBeLessThanOrEqual(4096);
});

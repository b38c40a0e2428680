import { expect, test } from 'vitest';
import type { Reason } from '../api/reasons.ts';
import type { GateReport } from '../conditions/observed.ts';
import { isOverdue } from './overdue.ts';

const ok: GateReport = { state: 'done', message: '' };
const gates = {
  resolve: ok,
  secrets: ok,
  database: ok,
  keys: ok,
  schema: ok,
  workload: ok,
  verify: ok,
  exposure: ok,
  integrations: ok,
};
const since = Date.parse('2026-11-01T00:00:00Z');

function before(reason: Reason, status: 'False' | 'Unknown' = 'False') {
  return [{ type: 'DatabaseReady', status, reason, message: '', lastTransitionTime: '2026-11-01T00:00:00Z' }];
}

const failing = (reason: Reason) => ({ ...gates, database: { state: 'waiting', reason, message: '' } as const });

test('a transient failure is overdue after ten minutes and not before', () => {
  const conditions = before('DatabaseUnreachable');
  expect(isOverdue(failing('DatabaseUnreachable'), conditions, since + 599_000)).toBe(false);
  expect(isOverdue(failing('DatabaseUnreachable'), conditions, since + 601_000)).toBe(true);
});

test('one transient failure after another counts from the first', () => {
  expect(isOverdue(failing('LockHeld'), before('DatabaseUnreachable'), since + 601_000)).toBe(true);
});

test('progress is never overdue, and neither is a failure that came after progress', () => {
  expect(isOverdue(failing('Provisioning'), before('Provisioning'), since + 9e6)).toBe(false);
  expect(isOverdue(failing('DatabaseUnreachable'), before('Provisioning'), since + 9e6)).toBe(false);
  expect(isOverdue(failing('DatabaseUnreachable'), before('Pending', 'Unknown'), since + 9e6)).toBe(false);
  expect(isOverdue(gates, before('DatabaseUnreachable'), since + 9e6)).toBe(false);
});

import { expect, test } from 'vitest';
import { backupReady } from './backup-ready.ts';
import { longestPeriodMs } from './longest-period.ts';

const HOUR = 3_600_000;
const now = Date.UTC(2026, 10, 28);
const facts = {
  schedule: '15 2 * * *',
  lastSuccess: undefined,
  lastFailure: undefined,
  latestId: undefined,
  now,
  fault: undefined,
  drill: undefined,
};

test.for([
  ['15 2 * * *', 24],
  ['0 */6 * * *', 6],
  ['*/10 * * * *', 1 / 6],
  ['0,30 8-17 * * *', 14.5],
  ['0 4 * * 0', 7 * 24],
  ['0 4 * * mon-fri', 3 * 24],
  ['0 4 1 * *', 31 * 24],
  ['0 4 31 * *', 61 * 24],
  ['0 4 1,15 * 7', 7 * 24],
  ['0 4 1 1 *', 366 * 24],
  ['0 4 29 2 *', 1461 * 24],
  ['@hourly', 1],
  ['@weekly', 7 * 24],
  ['@every 1h30m', 91 / 60],
  ['no schedule', 24],
] as const)('%s runs at least once in %d hours', ([schedule, hours]) => {
  expect(longestPeriodMs(schedule)).toBe(Math.round(hours * HOUR));
});

test.for([
  { name: 'no backup yet', has: {}, wanted: 'NeverRun' },
  { name: 'a fresh one', has: { lastSuccess: now - HOUR }, wanted: 'OK' },
  { name: 'one of nearly two periods ago', has: { lastSuccess: now - 47 * HOUR }, wanted: 'OK' },
  { name: 'one of more than two periods ago', has: { lastSuccess: now - 49 * HOUR }, wanted: 'BackupStale' },
  {
    name: 'a failure after a good one',
    has: { lastSuccess: now - 25 * HOUR, lastFailure: now - HOUR },
    wanted: 'BackupFailed',
  },
  { name: 'a good one after a failure', has: { lastSuccess: now - HOUR, lastFailure: now - 25 * HOUR }, wanted: 'OK' },
  { name: 'a failure and nothing else', has: { lastFailure: now - HOUR }, wanted: 'BackupFailed' },
])('$name is $wanted', ({ has, wanted }) => {
  const result = backupReady({ ...facts, ...has });
  expect(result).toMatchObject({ type: 'BackupReady', reason: wanted, status: wanted === 'OK' ? 'True' : 'False' });
});

test('a missing Secret is told before anything else', () => {
  const fault = { state: 'blocked', reason: 'SecretMissing', message: 'Secret a/b is missing' } as const;
  expect(backupReady({ ...facts, lastSuccess: now, fault })).toMatchObject({
    status: 'False',
    reason: 'SecretMissing',
  });
});

const WEEK = 7 * 24 * HOUR;
const drill = { schedule: '0 4 * * 0', lastSuccess: undefined, lastFailure: undefined, since: now - WEEK };
const failed = { at: now - HOUR, message: 'it does not serve' };

test.for([
  { name: 'no drill yet', has: {}, wanted: 'OK' },
  { name: 'a good drill', has: { lastSuccess: now - WEEK }, wanted: 'OK' },
  { name: 'a drill that failed', has: { lastSuccess: now - WEEK, lastFailure: failed }, wanted: 'DrillFailed' },
  { name: 'a good drill after a failure', has: { lastSuccess: now, lastFailure: failed }, wanted: 'OK' },
  {
    name: 'no good drill for more than two periods',
    has: { lastSuccess: now - 15 * 24 * HOUR },
    wanted: 'DrillFailed',
  },
  { name: 'no drill at all for more than two periods', has: { since: now - 15 * 24 * HOUR }, wanted: 'DrillFailed' },
])('with a good backup, $name is $wanted', ({ has, wanted }) => {
  const result = backupReady({ ...facts, lastSuccess: now - HOUR, drill: { ...drill, ...has } });
  expect(result).toMatchObject({ reason: wanted, status: wanted === 'OK' ? 'True' : 'False' });
});

test('a backup that failed is told before a drill that failed', () => {
  const both = { ...facts, lastFailure: now, drill: { ...drill, lastFailure: failed } };
  expect(backupReady(both)).toMatchObject({ reason: 'BackupFailed' });
});

import { expect, test } from 'vitest';
import { observed, ok } from '../../test/support/observed.ts';
import { isReason } from '../api/reasons.ts';
import { allConditions } from './all-conditions.ts';
import type { ConditionResult, GateReport, Observed } from './observed.ts';
import { GATES } from './observed.ts';

const waits: GateReport = { state: 'waiting', reason: 'Rolling', message: '1 of 2' };
const gone: GateReport = { state: 'waiting', reason: 'DatabaseUnreachable', message: 'no route' };
const refused: GateReport = { state: 'blocked', reason: 'ConfigInvalid', message: 'spec.config.x' };
const skips: GateReport = { state: 'skipped', message: 'waits for the database' };

function of(type: string, input: Observed): string {
  const found = allConditions(input).find((condition) => condition.type === type);
  return `${found?.status} ${found?.reason}`;
}

const versions = { current: '1.1.0', available: undefined, rollbackTo: [], hasOlder: true, contractAt: undefined };

interface Case {
  name: string;
  given: Observed;
  wanted: Record<string, string>;
}

const cases: Case[] = [
  {
    name: 'an open window and a newer version are told and change nothing else',
    given: observed({}, { versions: { ...versions, rollbackTo: ['1.0.0'], available: '1.2.0' } }),
    wanted: { Ready: 'True Serving', RollbackPossible: 'True WindowOpen', UpgradeAvailable: 'True NewerInCatalogue' },
  },
  {
    name: 'after the contract, or for the oldest version, there is no way back',
    given: observed({}, { versions }),
    wanted: { Ready: 'True Serving', RollbackPossible: 'False Contracted', UpgradeAvailable: 'False OK' },
  },
  {
    name: 'without the database nobody knows the ways',
    given: observed({ database: gone }, { versions: { ...versions, hasOlder: false } }),
    wanted: { RollbackPossible: 'False NoOlderVersion' },
  },
  {
    name: 'all parts done is Ready, and neither Reconciling nor Stalled',
    given: observed({}),
    wanted: { Ready: 'True Serving', Reconciling: 'False Settled', Stalled: 'False OK', WorkloadReady: 'True OK' },
  },
  {
    name: 'a roll is Reconciling, never Stalled, and stays Available',
    given: observed({ verify: waits }, { readyReplicas: 1 }),
    wanted: {
      Ready: 'False Rolling',
      Reconciling: 'True Rolling',
      Stalled: 'False OK',
      Available: 'True Serving',
      WorkloadReady: 'False Rolling',
    },
  },
  {
    name: 'a transient failure is Reconciling at first',
    given: observed({ database: gone, keys: skips, schema: skips, verify: skips }),
    wanted: {
      Ready: 'False DatabaseUnreachable',
      Reconciling: 'True DatabaseUnreachable',
      Stalled: 'False OK',
      DatabaseReady: 'False DatabaseUnreachable',
      SigningKeysReady: 'Unknown Pending',
    },
  },
  {
    name: 'a transient failure that is overdue is Stalled and no longer Reconciling',
    given: observed({ database: gone }, { overdue: true }),
    wanted: {
      Ready: 'False DatabaseUnreachable',
      Reconciling: 'False DatabaseUnreachable',
      Stalled: 'True DatabaseUnreachable',
    },
  },
  {
    name: 'what a person must mend is Stalled although another part still waits',
    given: observed({ database: gone, resolve: refused }),
    wanted: { Ready: 'False ConfigInvalid', Reconciling: 'False ConfigInvalid', Stalled: 'True ConfigInvalid' },
  },
  {
    name: 'no replica wanted is Ready but not Available',
    given: observed({}, { replicas: 0, readyReplicas: 0 }),
    wanted: { Ready: 'True ScaledToZero', Available: 'False ScaledToZero' },
  },
  {
    name: 'replicas wanted and none ready is not Available',
    given: observed({ verify: waits }, { readyReplicas: 0 }),
    wanted: { Available: 'False NoReplica' },
  },
];

test.for(cases)('$name', ({ given, wanted }) => {
  const found = Object.fromEntries(Object.keys(wanted).map((type) => [type, of(type, given)]));
  expect(found).toEqual(wanted);
});

test('whatever the parts report, Stalled and Reconciling are never both true and Ready excludes both', () => {
  const reports = [ok, waits, gone, refused, skips];
  const status = (results: ConditionResult[], type: string) => results.find((one) => one.type === type)?.status;
  const pairs = GATES.flatMap((first) => GATES.map((second) => [first, second] as const));
  const states = reports.flatMap((a) => reports.flatMap((b) => [false, true].map((overdue) => ({ a, b, overdue }))));
  for (const [first, second] of pairs) {
    for (const { a, b, overdue } of states) {
      const results = allConditions(observed({ [first]: a, [second]: b }, { overdue }));
      const active = ['Ready', 'Reconciling', 'Stalled'].filter((type) => status(results, type) === 'True');
      expect(active).toHaveLength(1);
      expect(results.every(({ reason }) => isReason(reason))).toBe(true);
    }
  }
});

import { expect, test } from 'vitest';
import type { Case } from '../../test/support/key-cases.ts';
import {
  DAY,
  NOW,
  T1,
  active2,
  both,
  k2,
  key,
  other,
  outcome,
  revoked,
  row,
  rowOf,
  secretOf,
  settled,
  signing,
  want,
  wants,
} from '../../test/support/key-cases.ts';
import { planKeys } from './plan-keys.ts';

const CASES: Case[] = [
  {
    name: 'a Staged key is only made',
    of: wants(want('k1', 'Active'), want('k2', 'Staged')),
    found: settled([row, k2({ state: 'Staged' })], both),
    is: 'nothing to do',
  },
  {
    name: 'a Staged key that shall sign is published first',
    found: settled([row, k2({ state: 'Staged' })], both),
    is: { moves: [{ name: 'k2', to: 'Published' }] },
  },
  {
    name: 'a published key that every replica has is visible',
    found: settled([row, k2({ visibleSince: undefined })], both),
    is: { kind: 'visible', names: ['k2'] },
  },
  {
    name: 'without a replica nothing is visible',
    found: settled([row, k2({ visibleSince: undefined })], both, { signing: { ...signing, replicas: [] } }),
    is: 'nothing to do',
  },
  {
    name: 'a key signs no sooner than T1 after it became visible',
    found: settled([row, k2({ visibleSince: NOW - T1 + 1 })], both),
    is: 'nothing to do',
  },
  {
    name: 'after T1 it signs, and the old one retires in the same step',
    found: settled([row, k2({ visibleSince: NOW - T1 })], both),
    is: {
      moves: [
        { name: 'k2', to: 'Active' },
        { name: 'k1', to: 'Retiring' },
      ],
    },
  },
  {
    name: 'T1 is held longer while the outside answers without the key',
    found: settled([row, k2({ visibleSince: NOW - T1 })], both, { outside: { keyIds: [key.keyId] } }),
    is: 'nothing to do',
  },
  {
    name: 'T1 is not held by an outside that cannot be reached',
    found: settled([row, k2({ visibleSince: NOW - T1 })], both, { outside: 'unreachable' }),
    is: { kind: 'move' },
  },
  {
    name: 'a revoked key leaves at once: T1 is skipped',
    of: revoked,
    found: settled([row, k2({ visibleSince: undefined })], both),
    is: {
      moves: [
        { name: 'k2', to: 'Active' },
        { name: 'k1', to: 'Revoked', expiredTs: 7 },
      ],
    },
  },
  {
    name: 'a revocation waits for no publication of its successor',
    of: revoked,
    found: settled([row, k2({ state: 'Staged' })], both),
    is: {
      moves: [
        { name: 'k2', to: 'Active' },
        { name: 'k1', to: 'Revoked', expiredTs: 7 },
      ],
    },
  },
  {
    name: 'a revocation in the future counts from now',
    of: wants(want('k1', 'Revoked', { compromisedAt: NOW + DAY }), want('k2', 'Active')),
    found: settled([row, k2({})], both),
    is: {
      moves: [
        { name: 'k2', to: 'Active' },
        { name: 'k1', to: 'Revoked', expiredTs: NOW },
      ],
    },
  },
  {
    name: 'an earlier compromisedAt moves the end of a revoked key',
    of: revoked,
    found: settled([rowOf({ state: 'Revoked', expiredTs: 9 }), active2], revoked),
    is: { moves: [{ name: 'k1', to: 'Revoked', expiredTs: 7 }] },
  },
  {
    name: 'a later compromisedAt does not move the end of a retired key',
    of: wants(want('k1', 'Revoked', { compromisedAt: 9 }), want('k2', 'Active')),
    found: settled([rowOf({ state: 'Retired', expiredTs: 5 }), active2], both),
    is: { moves: [{ name: 'k1', to: 'Revoked', expiredTs: 5 }] },
  },
  {
    name: 'a published key that never signed retires too',
    of: wants(want('k1', 'Active'), want('k2', 'Retired')),
    found: settled([row, k2({})], both),
    is: { moves: [{ name: 'k2', to: 'Retiring' }] },
  },
  {
    name: 'a lost key that shall retire leaves at once',
    found: {
      ...settled([row, k2({ visibleSince: NOW })], both, { keyring: undefined }),
      secrets: new Map([['k2', secretOf(other, 'Published')]]),
    },
    is: {
      moves: [
        { name: 'k2', to: 'Active' },
        { name: 'k1', to: 'Retiring' },
      ],
    },
  },
  {
    name: 'no key goes back',
    of: wants(want('k1', 'Published'), want('k2', 'Active')),
    found: settled([row, k2({})], both),
    is: 'KeyMismatch',
  },
];

test.for(CASES)('$name', ({ of = both, found, is }) => {
  expect(outcome(found, of)).toEqual(typeof is === 'string' ? is : expect.objectContaining(is));
});

test('a divisor shortens T1 and T4 and skips neither', () => {
  const found = settled([row, k2({ visibleSince: NOW })], both);
  expect(planKeys(both, found, 1_000_000).waits).toMatchObject([{ name: 'k2', until: NOW + 44 }]);
});

test('one key in trouble stops no other', () => {
  const of = wants(want('k1', 'Retired'), want('k2', 'Active'), want('k3', 'Staged', { isBrought: true }));
  const found = settled([row, k2({ visibleSince: NOW - T1 })], both);
  const brought = new Map([['k3', { unreadable: 'x', reason: 'WeakKey' as const }]]);
  expect(outcome({ ...found, brought }, of)).toMatchObject({ kind: 'move' });
});

import { expect, test } from 'vitest';
import type { Case } from '../../test/support/key-cases.ts';
import {
  DAY,
  NOW,
  active2,
  both,
  complete,
  decided,
  key,
  keyring,
  other,
  outcome,
  replica,
  retiring,
  revoked,
  rowOf,
  secretOf,
  settled,
  signing,
  wanted,
} from '../../test/support/key-cases.ts';
import { planKeys } from './plan-keys.ts';

const CASES: Case[] = [
  {
    name: 'an old key has no end while a live replica has an older keyring',
    found: settled([retiring, active2], both, { signing: { ...signing, replicas: [{ ...replica, generation: 3 }] } }),
    is: 'nothing to do',
  },
  {
    name: 'before an end is fixed, nobody may sign with an older keyring',
    found: settled([retiring, active2], both, { signing: { ...signing, floor: { generation: 3, at: 0 } } }),
    is: { kind: 'floor', generation: 4 },
  },
  {
    name: 'the end is a minute after the moment when all had the new keyring',
    found: settled([retiring, active2], both),
    is: { kind: 'expire', name: 'k1', expiredTs: NOW + 60_000 },
  },
  {
    name: 'the end is a minute after the newest signature of a fast clock',
    found: settled([retiring, active2], both, {
      signing: { ...signing, replicas: [{ ...replica, lastSigned: { [key.keyId]: NOW + 20_000 } }] },
    }),
    is: { expiredTs: NOW + 80_000 },
  },
  {
    name: 'the signatures of a replica that ended count',
    found: settled([retiring, active2], both, { signing: { ...signing, lastSigned: { [key.keyId]: NOW + 5000 } } }),
    is: { expiredTs: NOW + 65_000 },
  },
  {
    name: 'what a dead replica may have signed after its last word counts',
    found: settled([retiring, active2], both, {
      signing: {
        ...signing,
        replicas: [
          replica,
          { ...replica, id: 'dead', isLive: false, generation: 3, clock: NOW + 100_000, heartbeat: NOW - 31_000 },
        ],
      },
    }),
    is: { expiredTs: NOW + 190_000 },
  },
  {
    name: 'a clock that is 31 s ahead: no end is written',
    found: settled([retiring, active2], both, {
      signing: { ...signing, replicas: [{ ...replica, clock: NOW + 31_000 }] },
    }),
    is: 'ClockSkew',
  },
  {
    name: 'a clock that is 31 s behind: no end is written',
    found: settled([retiring, active2], both, {
      signing: { ...signing, replicas: [{ ...replica, clock: NOW - 31_000 }] },
    }),
    is: 'ClockSkew',
  },
  {
    name: 'an end is not published before it has passed',
    found: settled([rowOf({ state: 'Retiring', expiredTs: NOW }), active2], both),
    is: 'nothing to do',
  },
  {
    name: 'an end that has passed is published',
    found: settled([rowOf({ state: 'Retiring', expiredTs: NOW - 1 }), active2], both),
    is: { moves: [{ name: 'k1', to: 'Retired' }] },
  },
  {
    name: 'the private half is kept for V after that',
    found: settled([rowOf({ state: 'Retired', expiredTs: 5, since: NOW - DAY + 1 }), active2], both),
    is: 'nothing to do',
  },
  {
    name: 'then its Secret is deleted',
    found: settled([rowOf({ state: 'Retired', expiredTs: 5, since: NOW - DAY }), active2], both),
    is: { kind: 'destroy', name: 'k1' },
  },
  {
    name: 'and the ledger remembers it',
    found: {
      ...settled([rowOf({ state: 'Retired', expiredTs: 5, since: NOW - DAY }), active2], both),
      secrets: new Map([['k2', secretOf(other, 'Active')]]),
    },
    is: { kind: 'destroyed', name: 'k1' },
  },
  {
    name: 'the private half of a revoked key goes at once',
    of: revoked,
    found: settled([rowOf({ state: 'Revoked', expiredTs: 7, since: NOW }), active2], revoked),
    is: { kind: 'destroy', name: 'k1' },
  },
  {
    name: 'a revocation is not published before nobody signs with the key any more',
    of: revoked,
    found: settled([rowOf({ state: 'Revoked', expiredTs: 7, since: NOW }), active2], revoked, {
      keyring,
      signing: { ...signing, floor: { generation: 3, at: 0 } },
    }),
    is: { kind: 'floor', generation: 4 },
  },
  {
    name: 'a revocation waits for the heartbeat of replicas that have the old keyring',
    of: revoked,
    found: settled([rowOf({ state: 'Revoked', expiredTs: 7, since: NOW }), active2], revoked, {
      keyring,
      signing: { ...signing, floor: { generation: 4, at: NOW }, replicas: [{ ...replica, generation: 3 }] },
    }),
    is: 'nothing to do',
  },
  {
    name: 'after that heartbeat the revocation is written',
    of: revoked,
    found: settled([rowOf({ state: 'Revoked', expiredTs: 7, since: NOW }), active2], revoked, {
      keyring,
      signing: { ...signing, replicas: [{ ...replica, generation: 3 }] },
    }),
    is: { kind: 'write' },
  },
  {
    name: 'replicas that have not taken a keyring for 5 minutes are replaced',
    of: wanted,
    found: { ...complete, now: NOW + 300_000, signing: { ...signing, replicas: [{ ...replica, generation: 3 }] } },
    is: { kind: 'restart', generation: 4 },
  },
  {
    name: 'they are replaced once',
    of: wanted,
    found: {
      ...complete,
      now: NOW + 400_000,
      decided: { ...decided, restarted: 4 },
      signing: { ...signing, replicas: [{ ...replica, generation: 3 }] },
    },
    is: 'nothing to do',
  },
];

test.for(CASES)('$name', ({ of = both, found, is }) => {
  expect(outcome(found, of)).toEqual(typeof is === 'string' ? is : expect.objectContaining(is));
});

test('replicas that have not taken a keyring for 15 minutes need a person', () => {
  const late = { ...complete, now: NOW + 900_000, decided: { ...decided, restarted: 4 } };
  const found = { ...late, signing: { ...signing, replicas: [{ ...replica, generation: 3 }] } };
  expect(planKeys(wanted, found)).toMatchObject({
    isStuck: true,
    waits: [{ message: expect.stringContaining('r1') as string }],
  });
});

import { expect, test } from 'vitest';
import type { Case } from '../../test/support/key-cases.ts';
import {
  active2,
  both,
  complete,
  decided,
  k2,
  key,
  nothing,
  other,
  outcome,
  replica,
  row,
  secretOf,
  settled,
  signing,
  want,
  wanted,
  wants,
} from '../../test/support/key-cases.ts';

const CASES: Case[] = [
  {
    name: 'the Secret knows more than a restored ledger: the later state counts',
    found: {
      ...settled([row, k2({})], both),
      secrets: new Map([
        ['k1', secretOf(key, 'Retired', 5)],
        ['k2', secretOf(other, 'Active')],
      ]),
    },
    is: { kind: 'record', name: 'k1', state: 'Retired', expiredTs: 5 },
  },
  {
    name: 'status knows of a retired key whose Secret is destroyed',
    found: {
      ...settled([active2], both),
      known: [{ ...key, name: 'k1', remembers: { state: 'Retired', expiredTs: 5 } }],
    },
    is: { kind: 'record', name: 'k1', key, state: 'Retired', expiredTs: 5 },
  },
  {
    name: 'two that sign after a restore: the one that shall not leaves',
    found: settled([row, active2], both),
    is: { moves: [{ name: 'k1', to: 'Retiring' }] },
  },
  {
    name: 'what the Secret remembers is brought up to date',
    found: { ...complete, secrets: new Map([['k1', secretOf(key, 'Published')]]) },
    of: wanted,
    is: { kind: 'note', name: 'k1', remembers: { state: 'Active', expiredTs: undefined } },
  },
  {
    name: 'a generation is not used again after a restore',
    of: wanted,
    found: {
      ...complete,
      decided: { ...decided, content: 'old' },
      signing: { ...signing, replicas: [{ ...replica, generation: 9 }] },
    },
    is: { kind: 'decide', generation: 10 },
  },
];

const synapse = { keyId: 'ed25519:a_AbCd', publicKey: 'B' };
const brings = wants(want('k1', 'Active', { isBrought: true }));
const earlier = { ...synapse, expiredTs: 5 };

const BROUGHT: Case[] = [
  {
    name: 'a key that is brought is copied',
    of: brings,
    found: { ...nothing, brought: new Map([['k1', synapse]]) },
    is: { kind: 'import', name: 'k1' },
  },
  {
    name: 'a weak key that is brought is refused',
    of: brings,
    found: { ...nothing, brought: new Map([['k1', { unreadable: 'x', reason: 'WeakKey' }]]) },
    is: 'WeakKey',
  },
  {
    name: 'a key that is missing where it shall be brought from is waited for',
    of: brings,
    found: { ...nothing, brought: new Map([['k1', { unreadable: 'x', reason: 'SecretMissing' }]]) },
    is: 'SecretMissing',
  },
  {
    name: 'the key of an older resource is refused',
    of: brings,
    found: { ...nothing, brought: new Map([['k1', synapse]]), usedElsewhere: new Map([['B', 'a/b']]) },
    is: 'KeyReuse',
  },
  {
    name: 'an id that another key has is refused',
    of: wants(want('k1', 'Active'), want('k2', 'Staged', { isBrought: true })),
    found: { ...complete, brought: new Map([['k2', { ...synapse, keyId: key.keyId }]]) },
    is: 'KeyIDConflict',
  },
  {
    name: 'a key that turns out to be used by an older resource stalls',
    of: wanted,
    found: { ...complete, usedElsewhere: new Map([['A', 'a/b']]) },
    is: 'KeyReuse',
  },
  {
    name: 'no first key is made for a name that answers with other keys',
    of: wanted,
    found: { ...nothing, outside: { keyIds: ['ed25519:theirs'] } },
    is: 'ServerNameInUse',
  },
  {
    name: 'a first key is made for a name that cannot be reached',
    of: wanted,
    found: { ...nothing, outside: 'unreachable' },
    is: { kind: 'mint' },
  },
  {
    name: 'the key that the name answers with may be brought',
    of: brings,
    found: { ...nothing, brought: new Map([['k1', synapse]]), outside: { keyIds: [synapse.keyId] } },
    is: { kind: 'import' },
  },
  {
    name: 'a key of an earlier server is published as it was',
    of: wants(want('k1', 'Active'), want('k0', 'Retired', { earlier })),
    found: complete,
    is: { kind: 'record', name: 'k0', key: synapse, state: 'Retired', expiredTs: 5, isEarlier: true },
  },
  {
    name: 'a retired key that never was here is refused',
    of: wants(want('k1', 'Active'), want('k0', 'Retired')),
    found: complete,
    is: 'KeyUnknown',
  },
  {
    name: 'a Staged key that is taken out of the spec is destroyed',
    of: wanted,
    found: settled([row, k2({ state: 'Staged' })], wanted),
    is: { kind: 'destroy', name: 'k2' },
  },
  {
    name: 'and then forgotten',
    of: wanted,
    found: { ...settled([row, k2({ state: 'Staged' })], wanted), secrets: new Map([['k1', secretOf(key, 'Active')]]) },
    is: { kind: 'forget', name: 'k2' },
  },
];

test.for([...CASES, ...BROUGHT])('$name', ({ of = both, found, is }) => {
  expect(outcome(found, of)).toEqual(typeof is === 'string' ? is : expect.objectContaining(is));
});

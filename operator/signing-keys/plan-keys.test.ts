import { expect, test } from 'vitest';
import {
  complete,
  decided,
  key,
  keyring,
  noSecret,
  nothing,
  other,
  outcome,
  row,
  rowOf,
  secretOf,
} from '../../test/support/key-cases.ts';

test.for([
  { name: 'nothing anywhere: a key is drawn', found: nothing, is: { kind: 'mint', name: 'k1' } },
  {
    name: 'a Secret without a ledger row is recorded',
    found: { ...nothing, secrets: new Map([['k1', { ...key, remembers: undefined }]]) },
    is: { kind: 'record', name: 'k1', key, state: 'Active' },
  },
  {
    name: 'a recorded key is decided on',
    found: { ...complete, decided: undefined, keyring: undefined },
    is: { kind: 'decide', generation: 1 },
  },
  {
    name: 'a decided keyring is written',
    found: { ...complete, keyring: undefined },
    is: { kind: 'write', generation: 4 },
  },
  { name: 'all is there', found: complete, is: 'nothing to do' },
  {
    name: 'an edited keyring is written again',
    found: { ...complete, keyring: { ...keyring, keys: [], sound: false } },
    is: { kind: 'write', generation: 4 },
  },
  {
    name: 'an older keyring is written again',
    found: { ...complete, keyring: { ...keyring, generation: 3 } },
    is: { kind: 'write', generation: 4 },
  },
  {
    name: 'another validity makes a new generation',
    found: { ...complete, decided: { ...decided, content: 'old' } },
    is: { kind: 'decide', generation: 5 },
  },
  { name: 'a deleted Secret comes back from the keyring', found: noSecret, is: { kind: 'restore', name: 'k1', key } },
  {
    name: 'Secret and ledger gone, status left: it comes back from the keyring',
    found: { ...noSecret, rows: [], decided: undefined },
    is: { kind: 'restore', name: 'k1', key },
  },
  {
    name: 'only the keyring left: it comes back from there',
    found: { ...noSecret, rows: [], decided: undefined, known: [] },
    is: { kind: 'restore', name: 'k1', key },
  },
  { name: 'Secret and keyring gone', found: { ...noSecret, keyring: undefined }, is: 'KeyLost' },
  { name: 'Secret, keyring and status gone', found: { ...noSecret, keyring: undefined, known: [] }, is: 'KeyLost' },
  { name: 'only the status left', found: { ...nothing, known: complete.known }, is: 'KeyLost' },
  { name: 'only a decision left', found: { ...nothing, decided: { ...decided, content: '' } }, is: 'KeyLost' },
  {
    name: 'an unreadable keyring beside nothing else',
    found: { ...nothing, keyring: { ...keyring, keys: [], states: new Map(), sound: false } },
    is: 'KeyLost',
  },
  {
    name: 'the Secret holds another key',
    found: { ...complete, secrets: new Map([['k1', secretOf(other, 'Active')]]) },
    is: 'KeyMismatch',
  },
  {
    name: 'the Secret holds another key and the ledger is gone',
    found: { ...complete, rows: [], secrets: new Map([['k1', secretOf(other, 'Active')]]) },
    is: 'KeyMismatch',
  },
  {
    name: 'the Secret has another id',
    found: { ...complete, secrets: new Map([['k1', secretOf({ ...key, keyId: 'ed25519:x' }, 'Active')]]) },
    is: 'KeyMismatch',
  },
  {
    name: 'the Secret cannot be read',
    found: { ...complete, secrets: new Map([['k1', { unreadable: 'why', reason: 'WeakKey' as const }]]) },
    is: 'WeakKey',
  },
  {
    name: 'an active key that is not listed',
    found: { ...complete, rows: [{ ...row, name: 'k0' }], secrets: new Map(), known: [] },
    is: 'KeyMismatch',
  },
  {
    name: 'the bytes of another name',
    found: { ...complete, rows: [rowOf({ name: 'k0', state: 'Retired', expiredTs: 5 })], known: [] },
    is: 'KeyIDConflict',
  },
  {
    name: 'a retired key',
    found: {
      ...complete,
      rows: [rowOf({ state: 'Retired', expiredTs: 5 })],
      secrets: new Map([['k1', secretOf(key, 'Retired', 5)]]),
    },
    is: 'KeyMismatch',
  },
])('$name', ({ found, is }) => {
  expect(outcome(found)).toEqual(typeof is === 'string' ? is : expect.objectContaining(is));
});

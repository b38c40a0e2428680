import { expect, test } from 'vitest';
import type { FoundDatabase, FoundServer, WantedDatabase } from './database-facts.ts';
import { planDatabase } from './plan-database.ts';

const ours = { claim: '00000000-1111-4222-8333-444444444444', serverName: 'example.org' };
const theirs = { claim: '99999999-1111-4222-8333-444444444444', serverName: 'example.org' };
const strangers = { ...theirs, serverName: 'other.org' };

const wanted: WantedDatabase = {
  ...ours,
  name: 'n',
  adoptPolicy: 'None',
  login: 0,
  connectionLimit: 25,
  provisionedBefore: false,
};
const nothing: FoundServer = {
  versionNumber: 170_002,
  version: '17.2',
  owner: undefined,
  login: undefined,
  database: undefined,
};
const inside = { userTables: 3, hasLedger: true, lastOwner: ours };
const database: FoundDatabase = {
  owner: 'n',
  marker: ours,
  encoding: 'UTF8',
  provider: 'c',
  collate: 'C',
  ctype: 'C',
  locale: undefined,
  publicMayConnect: false,
  liveSessions: 0,
  inside,
};
const owner = { marker: ours, usable: false, granted: false };
const login = { connectionLimit: 25, isMember: true, startsAsOwner: true, otherIsOpen: false, accepted: true };
const complete: FoundServer = { ...nothing, owner, login, database };
const with_ = (change: Partial<FoundDatabase>): FoundServer => ({ ...complete, database: { ...database, ...change } });
const unmarked: FoundServer = {
  ...nothing,
  database: { ...database, owner: 'x', marker: undefined, inside: undefined },
};

const actionsOf = (wish: WantedDatabase, found: FoundServer) => {
  const plan = planDatabase(wish, found);
  return plan.refusal === undefined ? plan.steps.flatMap(({ actions }) => actions) : plan.refusal.reason;
};

test.for([
  {
    name: 'from nothing everything is made, and the membership is given back',
    found: nothing,
    actions: [
      'createOwner',
      'markOwner',
      'createLogin',
      'bindLogin',
      'grantOwner',
      'createDatabase',
      'markDatabase',
      'closeToPublic',
      'revokeOwner',
    ],
  },
  { name: 'when all is there nothing is done', found: complete, actions: [] },
  {
    name: 'killed after the roles, the password is set again and the rest is made',
    found: { ...nothing, owner, login: { ...login, accepted: undefined } },
    actions: ['setPassword', 'grantOwner', 'createDatabase', 'markDatabase', 'closeToPublic', 'revokeOwner'],
  },
  {
    name: 'killed after create database, it is ours by the comment of its owner role',
    found: with_({
      marker: undefined,
      publicMayConnect: true,
      inside: { userTables: 0, hasLedger: false, lastOwner: undefined },
    }),
    actions: ['grantOwner', 'markDatabase', 'closeToPublic', 'revokeOwner'],
  },
  {
    name: 'a membership that was left behind is taken back',
    found: { ...complete, owner: { ...owner, usable: true, granted: true } },
    actions: ['revokeOwner'],
  },
  {
    name: 'a refused password is set',
    found: { ...complete, login: { ...login, accepted: false } },
    actions: ['setPassword'],
  },
  {
    name: 'a changed limit is set',
    found: { ...complete, login: { ...login, connectionLimit: 7 } },
    actions: ['setLimit'],
  },
  {
    name: 'a new database gets its ledger',
    found: with_({ inside: { userTables: 0, hasLedger: false, lastOwner: undefined } }),
    actions: ['makeLedger', 'recordOwner'],
  },
  {
    name: 'after a takeover the new owner is recorded',
    found: with_({ inside: { ...inside, lastOwner: { ...theirs } } }),
    actions: ['recordOwner'],
  },
  {
    name: 'of an unmarked one only the roles are made before a look inside',
    found: unmarked,
    wish: { adoptPolicy: 'Empty' as const },
    actions: ['createOwner', 'markOwner', 'createLogin', 'bindLogin'],
  },
  {
    name: 'an unmarked one that is empty is taken',
    found: {
      ...complete,
      database: {
        ...database,
        owner: 'x',
        marker: undefined,
        inside: { userTables: 0, hasLedger: false, lastOwner: undefined },
      },
    },
    wish: { adoptPolicy: 'Empty' as const },
    actions: ['grantOwner', 'takeDatabase', 'markDatabase', 'revokeOwner'],
  },
  {
    name: 'one of the same server is taken over with SameServerName',
    found: {
      ...with_({ marker: theirs, inside: undefined }),
      owner: { ...owner, marker: theirs },
      login: { ...login, accepted: undefined },
    },
    wish: { adoptPolicy: 'SameServerName' as const },
    actions: ['markOwner', 'setPassword', 'grantOwner', 'markDatabase', 'revokeOwner'],
  },
])('$name', ({ found, wish, actions }) => {
  expect(actionsOf({ ...wanted, ...wish }, found)).toEqual(actions);
});

test.for([
  { name: 'PostgreSQL 13', found: { ...nothing, versionNumber: 130_011 }, reason: 'ServerUnsupported' },
  {
    name: 'a database that was there before',
    found: nothing,
    wish: { provisionedBefore: true },
    reason: 'DatabaseLost',
  },
  {
    name: 'a lost database whose roles are left',
    found: { ...nothing, owner, login },
    wish: { provisionedBefore: true },
    reason: 'DatabaseLost',
  },
  {
    name: 'an owner role without a marker',
    found: { ...nothing, owner: { ...owner, marker: undefined } },
    reason: 'DatabaseConflict',
  },
  {
    name: 'an owner role of another claim',
    found: { ...nothing, owner: { ...owner, marker: theirs } },
    reason: 'DatabaseConflict',
  },
  { name: 'a login role alone', found: { ...nothing, login }, reason: 'DatabaseConflict' },
  {
    name: 'a database of another server',
    found: with_({ marker: strangers }),
    wish: { adoptPolicy: 'SameServerName' as const },
    reason: 'DatabaseConflict',
  },
  {
    name: 'a database of another claim',
    found: with_({ marker: theirs }),
    wish: { adoptPolicy: 'Empty' as const },
    reason: 'DatabaseConflict',
  },
  {
    name: 'a database still in use',
    found: with_({ marker: theirs, liveSessions: 1 }),
    wish: { adoptPolicy: 'SameServerName' as const },
    reason: 'DatabaseConflict',
  },
  { name: 'an unmarked database', found: unmarked, reason: 'DatabaseConflict' },
  { name: 'our database with another owner', found: with_({ owner: 'x' }), reason: 'DatabaseConflict' },
  { name: 'another encoding', found: with_({ encoding: 'LATIN1' }), reason: 'WrongCollation' },
  { name: 'collation C by ICU', found: with_({ provider: 'i', locale: 'en-US' }), reason: 'WrongCollation' },
  { name: 'builtin C.UTF-8', found: with_({ provider: 'b', locale: 'C.UTF-8' }), reason: 'WrongCollation' },
  {
    name: 'an unmarked one of another collation',
    found: { ...unmarked, database: { ...database, marker: undefined, owner: 'x', collate: 'de_DE' } },
    reason: 'WrongCollation',
  },
  {
    name: 'a copy of another server inside',
    found: with_({ inside: { ...inside, lastOwner: strangers } }),
    reason: 'WrongServerName',
  },
])('$name is refused as $reason', ({ found, wish, reason }) => {
  expect(actionsOf({ ...wanted, ...wish }, found)).toBe(reason);
});

test('builtin C is as good as that of libc', () => {
  expect(actionsOf(wanted, with_({ provider: 'b', locale: 'C', collate: 'en_US.UTF-8' }))).toEqual([]);
});

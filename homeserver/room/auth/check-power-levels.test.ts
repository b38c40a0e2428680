import { expect, test } from 'vitest';
import { perVersion, powerLevels, verdict, type AuthCase, type Told } from '../../../test/support/room-story.ts';
import type { JsonObject } from '../json-value.ts';
import { LooseNumber } from '../loose-number.ts';

const before = {
  users: { '@admin:one': 100, '@mod:one': 50, '@bob:two': 50, '@alice:one': 10 },
  events: { 'm.room.power_levels': 0, 'm.room.topic': 25, 'm.room.tombstone': 100 },
  notifications: { room: 50, high: 100 },
  state_default: 50,
  ban: 100,
};

/** A new power-levels event that differs from `before` in those members. */
function change(sender: string, members: JsonObject): Told {
  return { ...powerLevels({ ...before, ...members }), sender };
}

function users(members: JsonObject): JsonObject {
  return { users: { ...before.users, ...members } };
}

function without(map: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(map).filter(([name]) => name !== key));
}

const shape = (
  [
    ['a word for a level', { kick: 'fifty' }, 'power.bad_level'],
    ['a string with a fraction for a level', { kick: '50.0' }, 'power.bad_level'],
    ['a double that did not come from JSON text', { users_default: 0.5 }, 'power.bad_level'],
    ['null for a level', { invite: null }, 'power.bad_level'],
    ['an integer beyond 2^53-1', { redact: 2 ** 53 }, 'power.bad_level'],
    ['events that are a list', { events: [] }, 'power.bad_map'],
    ['a word in events', { events: { x: 'one' } }, 'power.bad_map'],
    ['users that are a list', { users: [] }, 'power.bad_users'],
    ['null for a user', { users: { '@a:b': null } }, 'power.bad_users'],
    ['a user without a server', { users: { '@a': 1 } }, 'power.bad_users'],
    ['a user without a server beside a good one', { users: { '@a': 1, '@a:b': 1 } }, 'power.bad_users'],
  ] as const
).map(([name, members, says]) => ({ name, event: change('@admin:one', members), says }));

const LEVELS = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'];

/** Each level by itself. */
const eachLevel: AuthCase[] = LEVELS.flatMap((level) => {
  const state = [powerLevels({ ...before, [level]: 50 })];
  const set = (value: JsonObject[string]) => ({ ...powerLevels({ ...before, [level]: value }), sender: '@mod:one' });
  return [
    { name: `${level} set to the own power`, event: set(50), state: [powerLevels(before)], says: 'allowed' },
    { name: `${level} set above the own power`, event: set(51), state, says: 'power.level_above_own' },
    {
      name: `${level} lowered from above the own power`,
      event: set(0),
      state: [powerLevels({ ...before, [level]: 51 })],
      says: 'power.level_above_own',
    },
    { name: `${level} as a word`, event: set('fifty'), state, says: 'power.bad_level' },
  ].filter(({ name }) => name !== 'ban set to the own power');
});

function fraction(source: string): LooseNumber {
  const number = LooseNumber.parse(source);
  if (number === undefined) throw new Error(source);
  return number;
}

/** Strings for levels, before version 10, and fractions, before version 6. */
const oldShapes: AuthCase[] = [
  ...(
    [
      ['a string for a level', { kick: ' +050 ' }, 'power.bad_level'],
      ['a string in events', { events: { ...before.events, x: '-1' } }, 'power.bad_map'],
      ['a string in notifications', { notifications: { ...before.notifications, x: '1' } }, 'power.bad_map'],
      ['a string for a user', { users: { ...before.users, '@a:b': '50' } }, 'power.bad_users'],
    ] as const
  ).flatMap(([name, members, says]) => [
    { name, event: change('@mod:one', members), until: 9, says: 'allowed' },
    { name, event: change('@mod:one', members), since: 10, says },
  ]),
  {
    name: 'a string above the own power',
    event: change('@mod:one', users({ '@alice:one': '51' })),
    until: 9,
    says: 'power.new_user_above_own',
  },
  {
    name: 'the power of another as a string, which changes nothing',
    event: change('@mod:one', users({ '@admin:one': '100' })),
    until: 9,
    says: 'allowed',
  },
  {
    name: 'the own power from a string',
    event: { ...powerLevels({ users: { '@mod:one': '50' }, kick: 50 }), sender: '@mod:one' },
    state: [powerLevels({ users: { '@mod:one': '50' } })],
    until: 9,
    says: 'allowed',
  },
  {
    name: 'a fraction, cut at the point',
    event: change('@mod:one', users({ '@alice:one': fraction('5.057E1') })),
    until: 5,
    says: 'allowed',
  },
  {
    name: 'a fraction above the own power',
    event: change('@mod:one', users({ '@alice:one': fraction('51.0') })),
    until: 5,
    says: 'power.new_user_above_own',
  },
  {
    name: 'an unreadable level among the first power levels, before version 10',
    event: powerLevels({ kick: 'fifty', events: [] }),
    without: ['m.room.power_levels'],
    until: 9,
    says: 'allowed',
  },
  {
    name: 'an unreadable level among the first power levels',
    event: powerLevels({ kick: 'fifty' }),
    without: ['m.room.power_levels'],
    since: 10,
    says: 'power.bad_level',
  },
  {
    name: 'odd notifications before they were looked at',
    event: change('@mod:one', { notifications: { room: 'all', high: 1000 } }),
    until: 5,
    says: 'allowed',
  },
];

const cases: AuthCase[] = [
  ...shape,
  ...eachLevel,
  ...oldShapes,
  {
    name: 'a word in notifications',
    event: change('@admin:one', { notifications: { room: 'all' } }),
    since: 6,
    says: 'power.bad_map',
  },
  { name: 'nothing changed', event: change('@mod:one', {}), says: 'allowed' },
  {
    name: 'no users at all',
    event: { ...powerLevels({}), sender: '@mod:one' },
    state: [powerLevels({ users: { '@mod:one': 50 } })],
    says: 'allowed',
  },
  {
    name: 'the first power levels of a room',
    event: { ...powerLevels({ users: { '@alice:one': 1000 } }), sender: '@creator:one' },
    without: ['m.room.power_levels'],
    says: 'allowed',
  },
  {
    name: 'a creator among the users',
    event: change('@admin:one', users({ '@creator:one': 100 })),
    since: 12,
    says: 'power.names_creator',
  },
  {
    name: 'an additional creator among the first users',
    event: powerLevels({ users: { '@second:one': 1 } }),
    without: ['m.room.power_levels'],
    since: 12,
    says: 'power.names_creator',
  },
  {
    name: 'a creator among the users, where that is how creators get power',
    event: change('@admin:one', users({ '@creator:one': 100 })),
    until: 11,
    says: 'allowed',
  },
  { name: 'a level set up to the own power', event: change('@mod:one', { kick: 50 }), says: 'allowed' },
  { name: 'a level set above the own power', event: change('@mod:one', { kick: 51 }), says: 'power.level_above_own' },
  {
    name: 'a level lowered from above the own power',
    event: change('@mod:one', { ban: 0 }),
    says: 'power.level_above_own',
  },
  {
    name: 'a level removed from above the own power',
    event: { ...powerLevels(without(before, 'ban')), sender: '@mod:one' },
    says: 'power.level_above_own',
  },
  {
    name: 'an event level lowered',
    event: change('@mod:one', { events: { ...before.events, 'm.room.topic': 0 } }),
    says: 'allowed',
  },
  {
    name: 'an event level lowered from above the own power',
    event: change('@mod:one', { events: { ...before.events, 'm.room.tombstone': 50 } }),
    says: 'power.entry_above_own',
  },
  {
    name: 'an event level removed from above the own power',
    event: change('@mod:one', { events: without(before.events, 'm.room.tombstone') }),
    says: 'power.entry_above_own',
  },
  {
    name: 'an event level added above the own power',
    event: change('@mod:one', { events: { ...before.events, x: 51 } }),
    says: 'power.new_entry_above_own',
  },
  {
    name: 'a notification level lowered from above the own power',
    event: change('@mod:one', { notifications: { ...before.notifications, high: 0 } }),
    since: 6,
    says: 'power.entry_above_own',
  },
  {
    name: 'a notification level set above the own power',
    event: change('@mod:one', { notifications: { ...before.notifications, room: 51 } }),
    since: 6,
    says: 'power.new_entry_above_own',
  },
  { name: 'a user lowered who had less', event: change('@mod:one', users({ '@alice:one': 0 })), says: 'allowed' },
  { name: 'a user raised to the own power', event: change('@mod:one', users({ '@alice:one': 50 })), says: 'allowed' },
  {
    name: 'a user raised above the own power',
    event: change('@mod:one', users({ '@alice:one': 51 })),
    says: 'power.new_user_above_own',
  },
  {
    name: 'a user lowered who has the same power',
    event: change('@mod:one', users({ '@bob:two': 0 })),
    says: 'power.user_not_below_own',
  },
  {
    name: 'a user removed who has the same power',
    event: change('@mod:one', { users: without(before.users, '@bob:two') }),
    says: 'power.user_not_below_own',
  },
  { name: 'the own power lowered', event: change('@mod:one', users({ '@mod:one': 0 })), says: 'allowed' },
  {
    name: 'the own power raised',
    event: change('@mod:one', users({ '@mod:one': 51 })),
    says: 'power.new_user_above_own',
  },
  {
    name: 'anything changed by a creator',
    event: change('@second:one', { users: { '@admin:one': Number.MAX_SAFE_INTEGER }, ban: Number.MAX_SAFE_INTEGER }),
    since: 12,
    says: 'allowed',
  },
];

test.for(perVersion(cases.map((row) => ({ ...row, state: row.state ?? [powerLevels(before)] }))))(
  '$title: $says',
  (row) => {
    expect(verdict(row)).toBe(row.says);
  },
);

import { expect, test } from 'vitest';
import { eventId, rulesOf, storyState, tell, type Told } from '../../../test/support/room-story.ts';
import { authEventKeys, authStateKeys, selectAuthEvents } from './select-auth-events.ts';

const invite = (content = {}): Told => ({
  type: 'm.room.member',
  sender: '@alice:one',
  stateKey: '@x:two',
  content: { membership: 'invite', ...content },
});

const cases: { name: string; event: Told; keys: string[] }[] = [
  { name: 'a message', event: { type: 'm.room.message', sender: '@a:b' }, keys: ['power_levels', 'member @a:b'] },
  {
    name: 'a topic',
    event: { type: 'm.room.topic', sender: '@a:b', stateKey: '', content: { membership: 'join' } },
    keys: ['power_levels', 'member @a:b'],
  },
  {
    name: 'a knock',
    event: { type: 'm.room.member', sender: '@a:b', stateKey: '@a:b', content: { membership: 'knock' } },
    keys: ['power_levels', 'member @a:b', 'join_rules'],
  },
  {
    name: 'a join that carries a proof for an invite',
    event: {
      type: 'm.room.member',
      sender: '@a:b',
      stateKey: '@a:b',
      content: { membership: 'join', third_party_invite: { signed: { token: 't' } } },
    },
    keys: ['power_levels', 'member @a:b', 'join_rules'],
  },
  {
    name: 'an own join',
    event: { type: 'm.room.member', sender: '@a:b', stateKey: '@a:b', content: { membership: 'join' } },
    keys: ['power_levels', 'member @a:b', 'join_rules'],
  },
  { name: 'an invite', event: invite(), keys: ['power_levels', 'member @alice:one', 'member @x:two', 'join_rules'] },
  {
    name: 'an invite that redeems another',
    event: invite({ third_party_invite: { signed: { token: 't' } } }),
    keys: ['power_levels', 'member @alice:one', 'member @x:two', 'join_rules', 'third_party_invite t'],
  },
  {
    name: 'a kick',
    event: { ...invite(), content: { membership: 'leave' } },
    keys: ['power_levels', 'member @alice:one', 'member @x:two'],
  },
  {
    name: 'a join for which another vouches',
    event: {
      type: 'm.room.member',
      sender: '@a:b',
      stateKey: '@a:b',
      content: { membership: 'join', join_authorised_via_users_server: '@v:b' },
    },
    keys: ['power_levels', 'member @a:b', 'join_rules', 'member @v:b'],
  },
  { name: 'a create event', event: { type: 'm.room.create', stateKey: '' }, keys: [] },
];

const spell = (keys: readonly (readonly [string, string])[]) =>
  keys.map(([type, key]) => `${type.replace('m.room.', '')} ${key}`.trim());

test.for(cases)('$name selects its auth events', ({ event, keys }) => {
  const create = keys.length === 0 ? [] : ['create'];
  const [v11, v12] = [rulesOf('11'), rulesOf('12')];
  expect(spell(authEventKeys(tell(event, v11), v11))).toEqual([...create, ...keys]);
  expect(spell(authEventKeys(tell(event, v12), v12))).toEqual(keys);
  expect(spell(authStateKeys(tell(event, v11), v11))).toEqual([...create, ...keys]);
  expect(spell(authStateKeys(tell(event, v12), v12))).toEqual([...create, ...keys]);
});

test('before version 8 nobody vouches, so the one named is not selected', () => {
  const rules = rulesOf('7');
  const content = { membership: 'join', join_authorised_via_users_server: '@v:b' };
  const event = tell({ type: 'm.room.member', sender: '@a:b', stateKey: '@a:b', content }, rules);
  expect(spell(authEventKeys(event, rules))).toEqual(['create', 'power_levels', 'member @a:b', 'join_rules']);
});

test('an entry that the state lacks is left out of auth_events', () => {
  const rules = rulesOf('11');
  const event = tell({ type: 'm.room.message', sender: '@stranger:two' }, rules);
  const selected = selectAuthEvents(event, storyState(rules), rules);
  expect(selected).toEqual([eventId('$create'), eventId('$m.room.power_levels/')]);
});

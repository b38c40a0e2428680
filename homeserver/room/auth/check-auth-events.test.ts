import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  ALL_RULES,
  createEvent,
  joinRule,
  member,
  powerLevels,
  spoken,
  tell,
} from '../../../test/support/room-story.ts';
import { AUTH_RULES } from './auth-result.ts';
import { checkAuthEvents } from './check-auth-events.ts';

const topic = { type: 'm.room.topic', stateKey: '', sender: '@alice:one' };
const good = [powerLevels({}), member('@alice:one', 'join')];

const cases = ALL_RULES.flatMap((rules) => {
  const cited = rules.createInAuthEvents ? [createEvent(), ...good] : good;
  const row = (name: string, events: typeof cited, says: string, rejected = false) => ({
    title: `version ${rules.version}: ${name}`,
    rules,
    events,
    says,
    rejected,
  });
  return [
    row('just the selected events', cited, 'allowed'),
    row(
      'no power levels, as in a new room',
      cited.filter(({ type }) => type !== 'm.room.power_levels'),
      'allowed',
    ),
    row(
      'the same entry twice',
      [...cited, { ...member('@alice:one', 'join'), eventId: '$twin' }],
      'auth_events.duplicate',
    ),
    row('join rules, which a topic does not need', [...cited, joinRule('public')], 'auth_events.unexpected'),
    row('a message event', [...cited, { type: 'm.room.message' }], 'auth_events.unexpected'),
    row('power levels that are no state', [...cited, { type: 'm.room.power_levels' }], 'auth_events.unexpected'),
    row('the membership of another user', [...cited, member('@bob:two', 'join')], 'auth_events.unexpected'),
    row('a rejected event', cited, 'auth_events.rejected', true),
    row(
      'an event of another room',
      [...cited.slice(0, -1), { ...member('@alice:one', 'join'), roomId: '!other:one' }],
      'auth_events.other_room',
    ),
    rules.createInAuthEvents
      ? row('no create event', good, 'auth_events.no_create')
      : row('the create event, which the room id stands for', [createEvent(), ...good], 'auth_events.unexpected'),
  ];
});

test.for(cases)('$title: $says', ({ rules, events, says, rejected }) => {
  const cited = events.map((event) => ({ event: tell(event, rules), rejected }));
  expect(spoken(checkAuthEvents(tell(topic, rules), cited, rules))).toBe(says);
});

test.for(ALL_RULES)('version $version: an invite cites the memberships of both', (rules) => {
  const create = rules.createInAuthEvents ? [createEvent()] : [];
  const events = [...create, ...good, member('@bob:two', 'leave'), joinRule('invite')];
  const cited = events.map((event) => ({ event: tell(event, rules), rejected: false }));
  const invite = { ...member('@bob:two', 'invite'), sender: '@alice:one' };
  expect(checkAuthEvents(tell(invite, rules), cited, rules)).toEqual({ allowed: true });
});

test.for(ALL_RULES)('version $version: a create event needs to cite nothing', (rules) => {
  expect(checkAuthEvents(tell(createEvent(), rules), [], rules)).toEqual({ allowed: true });
});

test('every reason for refusing an event has a case in the tables of this folder', () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'));
  const tables = files.map((name) => readFileSync(`${import.meta.dirname}/${name}`, 'utf8')).join('\n');
  const untested = Object.keys(AUTH_RULES).filter((rule) => !tables.includes(`'${rule}'`));
  expect(untested).toEqual([]);
});

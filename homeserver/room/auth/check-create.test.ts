import { expect, test } from 'vitest';
import {
  createEvent,
  perVersion,
  rulesOf,
  spoken,
  tell,
  verdict,
  type AuthCase,
} from '../../../test/support/room-story.ts';
import { checkEvent } from './check-event.ts';

const cases: AuthCase[] = [
  { name: 'a create event at the start of the room', event: createEvent(), says: 'allowed' },
  {
    name: 'a create event that follows another event',
    event: { ...createEvent(), prevEvents: ['$other'] },
    says: 'create.has_prev_events',
  },
  {
    name: 'a create event by a user of another server than the one in the room id',
    event: { ...createEvent(), sender: '@creator:two' },
    until: 11,
    says: 'create.foreign_room_id',
  },
  { name: 'a known room version', event: createEvent({ room_version: '11' }), says: 'allowed' },
  { name: 'an unknown room version', event: createEvent({ room_version: 'x' }), says: 'create.unknown_version' },
  { name: 'a room version that is a number', event: createEvent({ room_version: 11 }), says: 'create.unknown_version' },
  {
    name: 'no creator in the content',
    event: { ...createEvent(), content: {} },
    until: 10,
    says: 'create.no_creator',
  },
  {
    name: 'no creator in the content, where the sender is the creator',
    event: { ...createEvent(), content: {} },
    since: 11,
    says: 'allowed',
  },
  {
    name: 'additional creators that are no list',
    event: createEvent({ additional_creators: '@a:b' }),
    since: 12,
    says: 'create.bad_additional_creators',
  },
  {
    name: 'an additional creator without a server',
    event: createEvent({ additional_creators: ['@a:b', '@nobody'] }),
    since: 12,
    says: 'create.bad_additional_creators',
  },
  {
    name: 'an additional creator that is no string',
    event: createEvent({ additional_creators: [7] }),
    since: 12,
    says: 'create.bad_additional_creators',
  },
  {
    name: 'odd additional creators, which mean nothing yet',
    event: createEvent({ additional_creators: 7 }),
    until: 11,
    says: 'allowed',
  },
];

test.for(perVersion(cases))('$title: $says', (row) => {
  expect(verdict(row)).toBe(row.says);
});

test('a create event of version 12 that carries a room id is refused', () => {
  const rules = rulesOf('12');
  const event = { ...tell(createEvent(), rules), carriesRoomId: true };
  expect(spoken(checkEvent(event, { get: () => undefined }, rules))).toBe('create.has_room_id');
});

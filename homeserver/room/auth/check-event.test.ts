import { expect, test } from 'vitest';
import {
  createEvent,
  member,
  perVersion,
  powerLevels,
  verdict,
  type AuthCase,
} from '../../../test/support/room-story.ts';

const message = { type: 'm.room.message', content: { body: 'hi' } };
const topic = { type: 'm.room.topic', stateKey: '' };
const thirdParty = { type: 'm.room.third_party_invite', stateKey: 'token' };

const cases: AuthCase[] = [
  { name: 'a message of a member', event: { ...message, sender: '@alice:one' }, says: 'allowed' },
  {
    name: 'a message into a room without create event',
    event: message,
    without: ['m.room.create'],
    says: 'room.no_create',
  },
  { name: 'a message into another room', event: { ...message, roomId: '!other:one' }, says: 'room.other_room' },
  {
    name: 'a message from another server into a closed room',
    event: { ...message, sender: '@bob:two' },
    state: [createEvent({ 'm.federate': false })],
    says: 'room.not_federated',
  },
  {
    name: "a message from the creator's server into a closed room",
    event: { ...message, sender: '@alice:one' },
    state: [createEvent({ 'm.federate': false })],
    says: 'allowed',
  },
  {
    name: 'a message from another server where m.federate is no boolean',
    event: { ...message, sender: '@bob:two' },
    state: [createEvent({ 'm.federate': 'false' })],
    says: 'allowed',
  },
  { name: 'a message of one who left', event: { ...message, sender: '@left:two' }, says: 'sender.not_joined' },
  {
    name: 'a message of one who is only invited',
    event: { ...message, sender: '@invited:two' },
    says: 'sender.not_joined',
  },
  { name: 'a message of a stranger', event: { ...message, sender: '@stranger:two' }, says: 'sender.not_joined' },
  { name: 'a topic below its level', event: { ...topic, sender: '@alice:one' }, says: 'event.too_little_power' },
  { name: 'a topic above its level', event: { ...topic, sender: '@mod:one' }, says: 'allowed' },
  {
    name: 'a topic at its level, which is below the default for state',
    event: { ...topic, sender: '@alice:one' },
    state: [powerLevels({ users: { '@alice:one': 25 }, events: { 'm.room.topic': 25 } })],
    says: 'allowed',
  },
  {
    name: 'a topic below its level, which is above the default for state',
    event: { ...topic, sender: '@mod:one' },
    state: [powerLevels({ users: { '@mod:one': 50 }, events: { 'm.room.topic': 51 } })],
    says: 'event.too_little_power',
  },
  {
    name: 'state at a default of its own',
    event: { ...topic, sender: '@alice:one' },
    state: [powerLevels({ users: { '@alice:one': 10 }, state_default: 10 })],
    says: 'allowed',
  },
  {
    name: 'state below a default of its own',
    event: { ...topic, sender: '@mod:one' },
    state: [powerLevels({ users: { '@mod:one': 50 }, state_default: 51 })],
    says: 'event.too_little_power',
  },
  {
    name: 'a topic by one who has the power of those who are not listed',
    event: { ...topic, sender: '@alice:one' },
    state: [powerLevels({ users_default: 50, users: { '@mod:one': 0 } })],
    says: 'allowed',
  },
  {
    name: 'a topic by one who is listed with less than those who are not',
    event: { ...topic, sender: '@mod:one' },
    state: [powerLevels({ users_default: 50, users: { '@mod:one': 0 } })],
    says: 'event.too_little_power',
  },
  {
    name: 'a state event below the default of 50',
    event: { type: 'm.room.name', stateKey: '', sender: '@alice:one' },
    says: 'event.too_little_power',
  },
  {
    name: 'a message where messages need 1',
    event: { ...message, sender: '@alice:one' },
    state: [powerLevels({ events_default: 1 })],
    says: 'event.too_little_power',
  },
  {
    name: 'a message type named as an inherited property',
    event: { type: 'constructor', sender: '@alice:one' },
    says: 'allowed',
  },
  {
    name: 'a state event in a room without power levels by a member who did not make it',
    event: { ...topic, sender: '@alice:one' },
    without: ['m.room.power_levels'],
    says: 'event.too_little_power',
  },
  {
    name: 'a state event in a room without power levels by its creator',
    event: { ...topic, sender: '@creator:one' },
    without: ['m.room.power_levels'],
    says: 'allowed',
  },
  ...(
    [
      ['@alice:one', 'allowed', 'event.too_little_power'],
      ['@creator:one', 'event.too_little_power', 'allowed'],
    ] as const
  ).flatMap(([sender, before11, since11]) => {
    const row = {
      name: `a state event by ${sender} in a room without power levels that names @alice:one as its creator`,
      event: { ...topic, sender },
      state: [createEvent({ creator: '@alice:one' })],
      without: ['m.room.power_levels'],
    };
    return [
      { ...row, until: 10, says: before11 },
      { ...row, since: 11, says: since11 },
    ];
  }),
  {
    name: 'a state event in a room without power levels by one whom an older version would not take for a creator',
    event: { ...topic, sender: '@second:one' },
    without: ['m.room.power_levels'],
    until: 11,
    says: 'event.too_little_power',
  },
  {
    name: 'a state event by a creator whom the power levels do not name, where creators have no lasting power',
    event: topic,
    until: 11,
    says: 'event.too_little_power',
  },
  {
    name: 'a state event by a creator whom the power levels do not name',
    event: topic,
    since: 12,
    says: 'allowed',
  },
  {
    name: 'a state event above every level by an additional creator',
    event: { ...topic, sender: '@second:one' },
    state: [powerLevels({ events: { 'm.room.topic': Number.MAX_SAFE_INTEGER } })],
    since: 12,
    says: 'allowed',
  },
  {
    name: 'state about oneself',
    event: { type: 'org.example.mood', stateKey: '@mod:one', sender: '@mod:one' },
    says: 'allowed',
  },
  {
    name: 'state about another user',
    event: { type: 'org.example.mood', stateKey: '@alice:one', sender: '@admin:one' },
    says: 'event.foreign_state_key',
  },
  {
    name: 'a third-party invite where all may invite',
    event: { ...thirdParty, sender: '@alice:one' },
    says: 'allowed',
  },
  {
    name: 'a third-party invite below the invite level',
    event: { ...thirdParty, sender: '@alice:one' },
    state: [powerLevels({ invite: 1 })],
    says: 'third_party_invite.too_little_power',
  },
  {
    name: 'a redaction, whatever the redact level',
    event: { type: 'm.room.redaction', sender: '@alice:one' },
    state: [powerLevels({ redact: 100 })],
    since: 3,
    says: 'allowed',
  },
  ...(
    [
      ['of an event that its own server named', '@alice:one', '$x:one', 'allowed'],
      ['of an event that another server named', '@alice:one', '$x:two', 'redaction.may_not_redact'],
      ['of an event that another server named, by a moderator', '@mod:one', '$x:two', 'allowed'],
      ['of an event with an id of later versions', '@alice:one', '$hash', 'redaction.may_not_redact'],
      ['without target', '@alice:one', undefined, 'redaction.may_not_redact'],
    ] as const
  ).map(([name, sender, redacts, says]) => ({
    name: `a redaction ${name}`,
    event: { type: 'm.room.redaction', eventId: '$redaction:one', sender, ...(redacts && { redacts }) },
    until: 2,
    says,
  })),
  {
    name: 'aliases of a server that has nobody in the room',
    event: { type: 'm.room.aliases', sender: '@stranger:nine', stateKey: 'nine' },
    until: 5,
    says: 'allowed',
  },
  {
    name: 'aliases without state key',
    event: { type: 'm.room.aliases', sender: '@admin:one' },
    until: 5,
    says: 'aliases.no_state_key',
  },
  {
    name: 'aliases of another server, sent by an administrator',
    event: { type: 'm.room.aliases', sender: '@admin:one', stateKey: 'two' },
    until: 5,
    says: 'aliases.foreign_server',
  },
  {
    name: 'aliases of a server outside, since they are events like any others',
    event: { type: 'm.room.aliases', sender: '@stranger:nine', stateKey: 'nine' },
    since: 6,
    says: 'sender.not_joined',
  },
  {
    name: 'aliases by a member without power, since they are events like any others',
    event: { type: 'm.room.aliases', sender: '@alice:one', stateKey: 'one' },
    since: 6,
    says: 'event.too_little_power',
  },
  {
    name: 'a message of a member whose membership has a state key of another user',
    event: { ...message, sender: '@new:one' },
    state: [{ ...member('@new:one', 'join'), stateKey: '@other:one' }],
    says: 'sender.not_joined',
  },
];

test.for(perVersion(cases))('$title: $says', (row) => {
  expect(verdict(row)).toBe(row.says);
});

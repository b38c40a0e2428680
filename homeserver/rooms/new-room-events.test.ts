import { expect, test } from 'vitest';
import { parseUserId, type UserId } from '../room/identifiers.ts';
import { ROOM_VERSIONS, type RoomVersionRules } from '../room/room-versions.ts';
import { newRoomEvents, type NewRoom } from './new-room-events.ts';

function user(text: string): UserId {
  const userId = parseUserId(text);
  if (userId === undefined) throw new Error(`${text} is no user id`);
  return userId;
}

function rulesOf(version: string): RoomVersionRules {
  const rules = ROOM_VERSIONS.get(version);
  if (rules === undefined) throw new Error(`there is no version ${version}`);
  return rules;
}

const ALICE = user('@alice:one');
const BOB = user('@bob:one');

const PLAIN: NewRoom = {
  creator: ALICE,
  rules: rulesOf('12'),
  preset: 'private_chat',
  creationContent: {},
  powerLevelOverride: {},
  initialState: [],
  alias: undefined,
  name: undefined,
  topic: undefined,
  invite: [],
  isDirect: undefined,
  profiles: new Map(),
};

test('events come in the order of the specification', () => {
  const initialState = [{ type: 'org.example', stateKey: 'k', content: {} }];
  const drafts = newRoomEvents({ ...PLAIN, name: 'n', topic: 't', invite: [BOB], initialState });
  expect(drafts.map(({ type }) => type)).toEqual([
    'm.room.create',
    'm.room.member',
    'm.room.power_levels',
    'm.room.join_rules',
    'm.room.history_visibility',
    'm.room.guest_access',
    'org.example',
    'm.room.name',
    'm.room.topic',
    'm.room.member',
  ]);
});

const creates = [
  { version: '10', content: { room_version: '10', creator: '@alice:one', kept: 1 } },
  { version: '11', content: { room_version: '11', kept: 1 } },
  { version: '12', content: { room_version: '12', kept: 1, additional_creators: ['@carol:one', '@bob:one'] } },
];

test.for(creates)('the create event of version $version has what this version knows', ({ version, content }) => {
  const asked = { creator: '@mallory:one', room_version: '1', kept: 1 };
  const creationContent = version === '12' ? { ...asked, additional_creators: ['@carol:one'] } : asked;
  const invite = version === '12' ? [BOB] : [];
  const [create] = newRoomEvents({
    ...PLAIN,
    rules: rulesOf(version),
    preset: 'trusted_private_chat',
    creationContent,
    invite,
  });
  expect(create?.content).toEqual(content);
});

const tombstones = [
  { version: '11', level: 100 },
  { version: '12', level: 150 },
];

test.for(tombstones)('in version $version ending the room takes power $level', ({ version, level }) => {
  const powerLevels = newRoomEvents({ ...PLAIN, rules: rulesOf(version) })[2];
  expect(powerLevels?.content).toMatchObject({ events: { 'm.room.tombstone': level } });
});

const overrides = [
  { name: 'other levels of events', override: { events: { 'm.room.name': 60 } }, tombstone: 150 },
  { name: 'a high level for state', override: { state_default: 200 }, tombstone: 201 },
  { name: 'a level of its own', override: { events: { 'm.room.tombstone': 70 } }, tombstone: 70 },
];

test.for(overrides)(
  'in version 12 ending the room takes more power than other state when the client asks for $name',
  ({ override, tombstone }) => {
    const levels = newRoomEvents({ ...PLAIN, powerLevelOverride: override })[2];
    expect(levels?.content).toMatchObject({ ...override, events: { 'm.room.tombstone': tombstone } });
  },
);

const inviting = [
  { preset: 'private_chat', invite: 0 },
  { preset: 'trusted_private_chat', invite: 0 },
  { preset: 'public_chat', invite: 50 },
] as const;

test.for(inviting)('in a $preset inviting takes power $invite, or what the client asks for', ({ preset, invite }) => {
  const levels = newRoomEvents({ ...PLAIN, preset })[2];
  expect(levels?.content).toMatchObject({ invite });
  const asked = newRoomEvents({ ...PLAIN, preset, powerLevelOverride: { invite: 70 } })[2];
  expect(asked?.content).toMatchObject({ invite: 70 });
});

test('initial state takes the place of what the preset would set', () => {
  const visible = { type: 'm.room.history_visibility', stateKey: '', content: { history_visibility: 'joined' } };
  const drafts = newRoomEvents({ ...PLAIN, initialState: [visible] });
  const visibilities = drafts.filter(({ type }) => type === 'm.room.history_visibility');
  expect(visibilities.map(({ content }) => content)).toEqual([{ history_visibility: 'joined' }]);
});

test('name and topic come after what initial state says of them, and so hold', () => {
  const initialState = ['m.room.topic', 'm.room.name'].map((type) => ({ type, stateKey: '', content: { old: true } }));
  const drafts = newRoomEvents({ ...PLAIN, initialState, name: 'n', topic: 't' });
  const last = (type: string) => drafts.findLast((draft) => draft.type === type)?.content;
  expect(last('m.room.name')).toEqual({ name: 'n' });
  expect(last('m.room.topic')).toEqual({
    topic: 't',
    'm.topic': { 'm.text': [{ body: 't', mimetype: 'text/plain' }] },
  });
});

test('invites carry the profile and say whether the chat is direct', () => {
  const profiles = new Map([['@bob:one', { displayname: 'Bob' }]]);
  const drafts = newRoomEvents({ ...PLAIN, invite: [BOB], isDirect: true, profiles });
  expect(drafts.at(-1)).toMatchObject({
    stateKey: BOB,
    content: { membership: 'invite', displayname: 'Bob', is_direct: true },
  });
});

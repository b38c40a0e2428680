import { Direction, EventType, KnownMembership, type MatrixClient, MsgType, Preset, RelationType } from 'matrix-js-sdk';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { startSyncing } from '../support/sdk-client.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
let bobUser: RoomClient;
let alice: MatrixClient;
let bob: MatrixClient;
let roomId: string;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 3, spread: true });
  const aliceUser = await newClient(server, 'alice');
  bobUser = await newClient(server, 'bob');
  [alice, bob] = await Promise.all([startSyncing(server, aliceUser), startSyncing(server, bobUser)]);
});
afterAll(async () => {
  alice.stopClient();
  bob.stopClient();
  await server.stop();
});
beforeEach(async () => {
  roomId = (await alice.createRoom({ preset: Preset.PublicChat })).room_id;
  await bob.joinRoom(roomId);
  await waitFor(
    () => [alice, bob].every((client) => client.getRoom(roomId)?.getMyMembership() === KnownMembership.Join),
    { what: 'the room' },
  );
});

const say = async (body: string) => (await alice.sendTextMessage(roomId, body)).event_id;
const reply = async (root: string, body: string) => (await alice.sendTextMessage(roomId, root, body)).event_id;

const react = async (client: MatrixClient, eventId: string, key: string) => {
  const relation = { rel_type: RelationType.Annotation, event_id: eventId, key } as const;
  return (await client.sendEvent(roomId, EventType.Reaction, { 'm.relates_to': relation })).event_id;
};

const edit = (eventId: string, body: string) =>
  alice.sendEvent(roomId, EventType.RoomMessage, {
    msgtype: MsgType.Text,
    body: `* ${body}`,
    'm.new_content': { msgtype: MsgType.Text, body },
    'm.relates_to': { rel_type: RelationType.Replace, event_id: eventId },
  });

/** Waits until the client shows this text for the event. */
const shows = (client: MatrixClient, eventId: string, body: string) =>
  waitFor(() => client.getRoom(roomId)?.findEventById(eventId)?.getContent()['body'] === body, { what: body });

/** Waits until the client shows these reactions to the event, the most frequent first. */
const reactions = (client: MatrixClient, eventId: string, wanted: readonly [string, number][]) =>
  waitFor(
    () => {
      const relations = client.getRoom(roomId)?.relations;
      const found = relations?.getChildEventsForEvent(eventId, RelationType.Annotation, EventType.Reaction);
      const counted = (found?.getSortedAnnotationsByKey() ?? []).map(([key, events]) => [key, events.size]);
      expect(counted).toEqual(wanted);
      return true;
    },
    { what: `reactions to ${eventId}` },
  );

/** Another device of bob's, which knows nothing of what came before it. The caller stops it. */
const anotherDevice = () => startSyncing(server, bobUser);

test('an edit replaces a message, the last one for whoever comes later, and is taken back by its redaction', async () => {
  const message = await say('first');
  await shows(bob, message, 'first');
  await edit(message, 'second');
  await shows(bob, message, 'second');
  const { event_id: last } = await edit(message, 'third');
  await shows(bob, message, 'third');
  const later = await anotherDevice();
  try {
    await shows(later, message, 'third');
  } finally {
    later.stopClient();
  }
  await alice.redactEvent(roomId, last);
  await waitFor(() => bob.getRoom(roomId)?.findEventById(last)?.isRedacted(), { what: 'the redaction' });
  await shows(bob, message, 'second');
});

test('an edit that is further back than what a client has loaded still comes with its message', async () => {
  const message = await say('before');
  await edit(message, 'after');
  for (let count = 0; count < 12; count += 1) await say(`message ${count}`);
  const later = await anotherDevice();
  try {
    const room = await waitFor(() => later.getRoom(roomId), { what: 'the room' });
    expect(room.findEventById(message)).toBeUndefined();
    const found = await later.fetchRoomEvent(roomId, message);
    expect(found.unsigned?.['m.relations']?.['m.replace']).toMatchObject({
      content: { 'm.new_content': { body: 'after' } },
    });
    await later.scrollback(room, 30);
    await shows(later, message, 'after');
  } finally {
    later.stopClient();
  }
});

test('reactions are counted by key, once a person, and go with their redaction', async () => {
  const message = await say('vote');
  await react(alice, message, '👍');
  const bobs = await react(bob, message, '👍');
  await react(bob, message, '👎');
  await reactions(alice, message, [
    ['👍', 2],
    ['👎', 1],
  ]);
  await expect(react(bob, message, '👎')).rejects.toMatchObject({ errcode: 'M_DUPLICATE_ANNOTATION' });
  await bob.redactEvent(roomId, bobs);
  await waitFor(() => alice.getRoom(roomId)?.findEventById(bobs)?.isRedacted(), { what: 'the redaction' });
  await reactions(alice, message, [
    ['👍', 1],
    ['👎', 1],
  ]);
  const { events } = await alice.relations(roomId, message, RelationType.Annotation, EventType.Reaction);
  expect(new Set(events.map((event) => event.getRelation()?.key))).toEqual(new Set(['👍', '👎']));
});

test('a thread has its replies in order, apart from the room, and a later client lists and pages it', async () => {
  const root = await say('root');
  const sent: string[] = [];
  for (let count = 0; count < 4; count += 1) sent.push(await reply(root, `reply ${count}`));
  await edit(sent[3] ?? '', 'reply edited');
  const thread = await waitFor(() => bob.getRoom(roomId)?.getThread(root), { what: 'the thread' });
  await waitFor(() => thread.length === 4 && thread.replyToEvent?.getContent()['body'] === 'reply edited', {
    what: 'four replies, the last one edited',
  });
  const inRoom = bob.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
  expect(inRoom.filter((event) => sent.includes(event.getId() ?? ''))).toEqual([]);
  const later = await anotherDevice();
  try {
    const listed = await later.createThreadListMessagesRequest(roomId, null, 10, Direction.Backward);
    expect(listed.chunk.map((event) => event.event_id)).toEqual([root]);
    expect(listed.chunk[0]?.unsigned?.['m.relations']?.['m.thread']).toMatchObject({
      count: 4,
      latest_event: { event_id: sent[3] },
    });
    const page = await later.relations(roomId, root, RelationType.Thread, null, { limit: 3 });
    expect(page.events.map((event) => event.getId())).toEqual(sent.toReversed().slice(0, 3));
    const rest = await later.relations(roomId, root, RelationType.Thread, null, {
      from: page.nextBatch ?? '',
      limit: 3,
    });
    expect(rest.events.map((event) => event.getId())).toEqual([sent[0]]);
  } finally {
    later.stopClient();
  }
});

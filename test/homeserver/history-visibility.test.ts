import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { bodiesOf, namesOf, SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
let alice: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  alice = await newClient(server, 'alice');
});
afterAll(() => server.stop());

async function newReader(): Promise<SyncReader> {
  return new SyncReader(server, await newClient(server));
}

async function readBack(reader: SyncReader, roomId: string): Promise<unknown[]> {
  const found = [];
  let from: string | undefined;
  do {
    const page = await reader.messages(roomId, { dir: 'b', limit: '4', ...(from !== undefined && { from }) });
    found.push(...page.chunk);
    from = page.end;
  } while (from !== undefined);
  return bodiesOf(found.toReversed());
}

const cases = [
  { visibility: 'world_readable', member: ['early', 'invited', 'in'], left: ['early', 'invited', 'in'] },
  { visibility: 'shared', member: ['early', 'invited', 'in'], left: ['early', 'invited', 'in'] },
  { visibility: 'invited', member: ['invited', 'in'], left: ['invited', 'in'] },
  { visibility: 'joined', member: ['in'], left: ['in'] },
  { visibility: 'nonsense', member: ['early', 'invited', 'in'], left: ['early', 'invited', 'in'] },
];

test.for(cases)('history that is $visibility shows a member and one who left what it should', async (example) => {
  const bob = await newReader();
  const content = { history_visibility: example.visibility };
  const state = { type: 'm.room.history_visibility', content };
  const roomId = await alice.createRoom({ preset: 'private_chat', initial_state: [state] });
  await alice.send(roomId, 'early');
  await alice.act('invite', roomId, { user_id: bob.client.userId });
  await alice.send(roomId, 'invited');
  await bob.client.join(roomId);
  await alice.send(roomId, 'in');
  expect(await readBack(bob, roomId)).toEqual(example.member);
  const room = (await bob.sync()).rooms.join[roomId];
  expect(bodiesOf(room?.timeline.events ?? [])).toEqual(example.member);
  await bob.client.act('leave', roomId);
  await alice.send(roomId, 'gone');
  expect(await readBack(bob, roomId)).toEqual(example.left);
});

test('a stranger reads a world-readable room, and no other', async () => {
  const bob = await newReader();
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const eventId = await alice.send(roomId, 'before');
  await expect(bob.messages(roomId, { dir: 'b' })).rejects.toThrow('M_FORBIDDEN');
  await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' });
  await alice.send(roomId, 'open');
  const page = await bob.messages(roomId, { dir: 'b' });
  expect(bodiesOf(page.chunk)).toEqual(['open']);
  // The change itself is seen by whom either side of it allows.
  expect(namesOf(page.chunk)).toContain('m.room.history_visibility/');
  expect(await bob.client.request('GET', `/rooms/${roomId}/event/${eventId}`)).toMatchObject({ status: 404 });
  await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
  await expect(bob.messages(roomId, { dir: 'b' })).rejects.toThrow('M_FORBIDDEN');
});

test('an invited user cannot read before joining, and a room that does not exist looks the same', async () => {
  const bob = await newReader();
  const roomId = await alice.createRoom({ preset: 'private_chat', invite: [bob.client.userId] });
  const eventId = await alice.send(roomId, 'inside');
  for (const room of [roomId, '!nowhere:test.example']) {
    await expect(bob.messages(room, { dir: 'b' })).rejects.toThrow('M_FORBIDDEN');
    expect(await bob.client.request('GET', `/rooms/${room}/members`)).toMatchObject({ status: 403 });
    expect(await bob.client.request('GET', `/rooms/${room}/joined_members`)).toMatchObject({ status: 403 });
    expect(await bob.client.request('GET', `/rooms/${room}/event/${eventId}`)).toMatchObject({ status: 404 });
  }
});

const singles = [
  { visibility: 'world_readable', left: [200, 200, 200], invited: [200, 200, 200], stranger: [200, 200, 200] },
  { visibility: 'shared', left: [200, 404, 404], invited: [404, 404, 404], stranger: [404, 404, 404] },
  { visibility: 'invited', left: [200, 404, 404], invited: [404, 404, 200], stranger: [404, 404, 404] },
  { visibility: 'joined', left: [200, 404, 404], invited: [404, 404, 404], stranger: [404, 404, 404] },
];

test.for(singles)('one event by its id is given by the rules alone when history is $visibility', async (example) => {
  const [left, invited, stranger] = await Promise.all([newClient(server), newClient(server), newClient(server)]);
  const content = { history_visibility: example.visibility };
  const state = { type: 'm.room.history_visibility', content };
  const roomId = await alice.createRoom({ preset: 'public_chat', initial_state: [state] });
  await left.join(roomId);
  const events = [await alice.send(roomId, 'all in')];
  await left.act('leave', roomId);
  events.push(await alice.send(roomId, 'one has left'));
  await alice.act('invite', roomId, { user_id: invited.userId });
  events.push(await alice.send(roomId, 'one is invited'));
  // What holds later changes nothing.
  await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
  const seenBy = async (client: RoomClient) => {
    const answers = await Promise.all(events.map((id) => client.request('GET', `/rooms/${roomId}/event/${id}`)));
    return answers.map((answer) => answer.status);
  };
  expect(await seenBy(left)).toEqual(example.left);
  expect(await seenBy(invited)).toEqual(example.invited);
  expect(await seenBy(stranger)).toEqual(example.stranger);
});

test('what a member may not see is not found by its id or around another event', async () => {
  const bob = await newReader();
  const joined = { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } };
  const roomId = await alice.createRoom({ preset: 'public_chat', initial_state: [joined] });
  const hidden = await alice.send(roomId, 'hidden');
  await bob.client.join(roomId);
  const seen = await alice.send(roomId, 'seen');
  expect(await bob.client.request('GET', `/rooms/${roomId}/event/${hidden}`)).toMatchObject({ status: 404 });
  expect(await bob.client.request('GET', `/rooms/${roomId}/context/${hidden}`)).toMatchObject({ status: 404 });
  const around = await bob.client.request('GET', `/rooms/${roomId}/context/${seen}?limit=50`);
  expect(around).toMatchObject({ status: 200, body: { event: { content: { body: 'seen' } } } });
  expect(JSON.stringify(around.body)).not.toContain('hidden');
});

test('state from before the reader came in is not told, however far back the timeline was looked at', async () => {
  const bob = await newReader();
  const joined = { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } };
  const roomId = await alice.createRoom({ preset: 'public_chat', topic: 'oldest', initial_state: [joined] });
  const talk = (count: number) => Promise.all(Array.from({ length: count }, (_, i) => alice.send(roomId, `${i}`)));
  await talk(300);
  await alice.setState(roomId, 'm.room.topic', { topic: 'at the join' });
  await talk(60);
  await bob.next();
  await bob.client.join(roomId);
  await alice.setState(roomId, 'm.room.topic', { topic: 'newest' });
  // 4 + 16 + 64 + 256 events are looked at for the third one: all but the beginning of the room, which bob may see.
  const filter = { room: { timeline: { limit: 3 } } };
  for (const answer of [await bob.sync({ filter }), await bob.next({ filter })]) {
    const room = answer.rooms.join[roomId];
    expect(namesOf(room?.timeline.events ?? [])).toEqual([`m.room.member/${bob.client.userId}`, 'm.room.topic/']);
    const topics = room?.state?.events.filter((event) => event.type === 'm.room.topic');
    expect(topics?.map((event) => event.content['topic'])).toEqual(['at the join']);
    expect(JSON.stringify(room?.state)).not.toContain('oldest');
  }
});

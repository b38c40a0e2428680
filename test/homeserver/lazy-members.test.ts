import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { byText, namesOf, SyncReader, type SyncAnswer } from '../support/sync-reader.ts';

let server: TestHomeserver;
let alice: RoomClient;
let members: RoomClient[];
let roomId: string;
beforeAll(async () => {
  // Whom a device has been told of is remembered by each replica for itself.
  server = await startHomeserver({ spread: false });
  alice = await newClient(server, 'alice');
  members = await Promise.all(Array.from({ length: 8 }, () => newClient(server)));
  roomId = await alice.createRoom({ preset: 'public_chat', name: 'named' });
  for (const member of members) await member.join(roomId);
  for (let i = 0; i < 25; i += 1) await alice.send(roomId, `filler ${i}`);
});
afterAll(() => server.stop());

const lazy = (more: object = {}) => ({ room: { state: { lazy_load_members: true, ...more }, timeline: { limit: 5 } } });

const membersIn = (answer: SyncAnswer) =>
  namesOf(answer.rooms.join[roomId]?.state?.events ?? [])
    .filter((name) => name.startsWith('m.room.member/'))
    .map((name) => name.slice('m.room.member/'.length))
    .toSorted(byText);

function member(number: number): RoomClient {
  const found = members[number];
  if (found === undefined) throw new Error(`there is no member ${number}`);
  return found;
}

test('without lazy loading all members are there', async () => {
  expect(membersIn(await new SyncReader(server, alice).sync())).toHaveLength(9);
});

test('an initial sync has the members of its timeline, the heroes and oneself', async () => {
  const reader = new SyncReader(server, member(7), { filter: lazy() });
  const answer = await reader.next();
  const heroes = [alice, ...members.slice(0, 4)].map((client) => client.userId);
  expect(answer.rooms.join[roomId]?.summary).toMatchObject({ 'm.heroes': heroes });
  expect(membersIn(answer)).toEqual([...heroes, member(7).userId].toSorted(byText));
});

test('a sender is told once, and again where it was asked for or is not certain to have arrived', async () => {
  const reader = new SyncReader(server, alice, { filter: lazy() });
  const started = (await reader.next()).next_batch;
  const sender = member(6);
  await sender.send(roomId, 'first');
  expect(membersIn(await reader.next())).toEqual([sender.userId]);
  await sender.send(roomId, 'second');
  // The answer that held the membership event was lost: the client asks again from where it was.
  expect(membersIn(await reader.sync({ since: started }))).toEqual([sender.userId]);
  expect(membersIn(await reader.next())).toEqual([]);
  await sender.send(roomId, 'third');
  expect(membersIn(await reader.next({ filter: lazy({ include_redundant_members: true }) }))).toEqual([sender.userId]);
});

test('after another initial sync, also at another replica, members are told again', async () => {
  const reader = new SyncReader(server, alice, { filter: lazy() });
  const sender = member(5);
  await reader.next();
  await sender.send(roomId, 'one');
  await reader.next();
  await reader.next();
  for (let i = 0; i < 6; i += 1) await alice.send(roomId, `filler ${i}`);
  reader.since = undefined;
  expect(membersIn(await reader.next({ replica: 1 }))).not.toContain(sender.userId);
  await sender.send(roomId, 'two');
  expect(membersIn(await reader.next({ replica: 0 }))).toEqual([sender.userId]);
});

test('memberships that changed in a gap are always given', async () => {
  const reader = new SyncReader(server, alice, { filter: lazy() });
  await reader.next();
  const late = await newClient(server);
  await late.join(roomId);
  for (let i = 0; i < 10; i += 1) await alice.send(roomId, `gap ${i}`);
  expect(membersIn(await reader.next())).toContain(late.userId);
});

test('/messages gives the members of its page', async () => {
  const reader = new SyncReader(server, alice);
  const filter = JSON.stringify({ lazy_load_members: true });
  const page = await reader.messages(roomId, { dir: 'f', limit: '4', filter });
  expect(namesOf(page.state)).toEqual([`m.room.member/${alice.userId}`]);
  expect((await reader.messages(roomId, { dir: 'f', limit: '4' })).state).toEqual([]);
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { SyncReader } from '../support/sync-reader.ts';

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

const neverInside = [
  { name: 'declined an invite', act: (bob: RoomClient, roomId: string) => bob.act('leave', roomId) },
  {
    name: 'was banned while invited',
    act: (bob: RoomClient, roomId: string) => alice.act('ban', roomId, { user_id: bob.userId }),
  },
];

test.for(neverInside)('who $name and was never inside reads nothing of the room', async ({ act }) => {
  const bob = await newReader();
  const { userId } = bob.client;
  const roomId = await alice.createRoom({ preset: 'private_chat', topic: 'secret', invite: [userId] });
  await bob.next();
  await act(bob.client, roomId);
  const own = (await bob.next()).rooms.leave[roomId]?.timeline.events.at(-1)?.event_id ?? '';
  expect(own).not.toBe('');
  for (const path of ['members', 'messages?dir=b', `context/${own}?limit=0`, 'joined_members', 'state']) {
    const answer = await bob.client.request('GET', `/rooms/${roomId}/${path}`);
    expect({ path, ...answer }).toMatchObject({ path, status: 403, body: { errcode: 'M_FORBIDDEN' } });
  }
  expect(await bob.client.request('GET', `/rooms/${roomId}/event/${own}`)).toMatchObject({ status: 404 });
});

const Members = z.object({ chunk: z.array(z.object({ state_key: z.string(), content: z.looseObject({}) })) });

test('who left and was banned later knows the room as it was when they left', async () => {
  const bob = await newReader();
  const { userId } = bob.client;
  const roomId = await alice.createRoom({ preset: 'public_chat', topic: 'first' });
  await bob.client.join(roomId);
  await bob.next();
  await bob.client.act('leave', roomId);
  await alice.setState(roomId, 'm.room.topic', { topic: 'second' });
  const carol = await newClient(server);
  await carol.join(roomId);
  await alice.act('ban', roomId, { user_id: userId });
  const answers = [
    await bob.sync({ filter: { room: { include_leave: true } } }),
    await bob.sync({ filter: { room: { include_leave: true } }, useStateAfter: true }),
    await bob.next(),
  ];
  for (const answer of answers) {
    const text = JSON.stringify(answer.rooms.leave[roomId]);
    expect(text).not.toContain('second');
    expect(text).not.toContain(carol.userId);
  }
  const { chunk } = Members.parse((await bob.client.request('GET', `/rooms/${roomId}/members`)).body);
  expect(chunk.map((event) => event.state_key)).not.toContain(carol.userId);
  expect(chunk.find((event) => event.state_key === userId)?.content).toMatchObject({ membership: 'leave' });
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { RoomClient, eventIdOf, newClient } from '../support/room-client.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
});
afterAll(() => server.stop());

const FORBIDDEN = { status: 403, body: { errcode: 'M_FORBIDDEN' } };

test('a transaction id stands for one event on all replicas, at once or later', async () => {
  const roomId = await alice.createRoom();
  const sends = [0, 1, 0, 1, 0, 1].map((replica) => alice.at(replica).send(roomId, 'once', 'same'));
  const ids = new Set(await Promise.all(sends));
  expect(ids.size).toBe(1);
  expect(ids).toContain(await alice.at(1).send(roomId, 'once', 'same'));
});

test('a transaction id is apart for each room, event type and device', async () => {
  const rooms = [await alice.createRoom(), await alice.createRoom()];
  const phone = new RoomClient(server, await server.login(alice.user));
  const content = { msgtype: 'm.text', body: 'x' };
  const ids = new Set<string>();
  for (const roomId of rooms) {
    for (const client of [alice, phone]) {
      for (const type of ['m.room.message', 'org.example.other']) {
        ids.add(eventIdOf(await client.trySend(roomId, content, { type, txnId: 'shared' })));
      }
    }
  }
  expect(ids.size).toBe(8);
});

test('a message repeated after its sender has left gets its first answer', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const eventId = await bob.send(roomId, 'goodbye', 'last words');
  await bob.act('leave', roomId);
  expect(await bob.send(roomId, 'goodbye', 'last words')).toBe(eventId);
  expect(await bob.trySend(roomId, { body: 'more' })).toMatchObject(FORBIDDEN);
});

test('strangers send nothing, and learn nothing of a room that does not exist', async () => {
  const roomId = await alice.createRoom();
  expect(await bob.trySend(roomId, { body: 'x' })).toMatchObject(FORBIDDEN);
  expect(await bob.trySend('!nowhere:test.example', { body: 'x' })).toMatchObject(FORBIDDEN);
  expect(await bob.trySend('nonsense', { body: 'x' })).toMatchObject(FORBIDDEN);
});

test('what another replica has just committed counts for a refusal and for a permission', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  expect(await bob.at(1).trySend(roomId, { body: 'too early' })).toMatchObject(FORBIDDEN);
  await bob.at(0).join(roomId);
  expect((await bob.at(1).trySend(roomId, { body: 'now' })).status).toBe(200);
  await alice.at(0).act('ban', roomId, { user_id: bob.userId });
  expect(await bob.at(1).trySend(roomId, { body: 'too late' })).toMatchObject(FORBIDDEN);
});

test.for(['1', '3', '6', '9', '10', '11', '12'])(
  'in version %s one redacts oneself, and others with the power to',
  async (version) => {
    const roomId = await alice.createRoom({ preset: 'public_chat', room_version: version });
    await bob.join(roomId);
    const [mine, theirs] = [await bob.send(roomId, 'by bob'), await alice.send(roomId, 'by alice')];
    expect(await bob.redact(roomId, theirs)).toMatchObject(FORBIDDEN);
    expect((await bob.redact(roomId, mine, { reason: 'typo' })).status).toBe(200);
    const second = await bob.send(roomId, 'by bob again');
    expect((await alice.redact(roomId, second)).status).toBe(200);
    const sent = await alice.trySend(roomId, { redacts: theirs, reason: 'by send' }, { type: 'm.room.redaction' });
    const pdu = await storedPdu(eventIdOf(sent));
    expect(pdu.content).toEqual(Number(version) <= 10 ? { reason: 'by send' } : { reason: 'by send', redacts: theirs });
    expect(pdu.redacts).toBe(Number(version) <= 10 ? theirs : undefined);
  },
);

test('what the room does not have cannot be redacted', async () => {
  const [roomId, other] = [await alice.createRoom(), await alice.createRoom()];
  const elsewhere = await alice.send(other, 'elsewhere');
  const missing = { status: 404, body: { errcode: 'M_NOT_FOUND' } };
  expect(await alice.redact(roomId, '$nothing')).toMatchObject(missing);
  expect(await alice.redact(roomId, elsewhere)).toMatchObject(missing);
  expect(await bob.redact(roomId, '$nothing')).toMatchObject(FORBIDDEN);
  const noTarget = await alice.trySend(roomId, {}, { type: 'm.room.redaction' });
  expect(noTarget).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
});

test('the same reaction is taken once, and again after it was redacted', async () => {
  const roomId = await alice.createRoom();
  const parent = await alice.send(roomId, 'like me');
  const content = { 'm.relates_to': { rel_type: 'm.annotation', event_id: parent, key: '👍' } };
  const react = (txnId?: string) => alice.trySend(roomId, content, { type: 'm.reaction', ...(txnId && { txnId }) });
  const first = eventIdOf(await react('first'));
  expect(eventIdOf(await react('first'))).toBe(first);
  expect(await react()).toMatchObject({ status: 400, body: { errcode: 'M_DUPLICATE_ANNOTATION' } });
  await alice.redact(roomId, first);
  expect(eventIdOf(await react())).not.toBe(first);
});

async function storedPdu(eventId: string): Promise<{ content: unknown; redacts?: unknown }> {
  const client = await server.database.connect();
  const { rows } = await client.query<{ json: string }>('select json from events where event_id = $1', [eventId]);
  return JSON.parse(rows[0]?.json ?? 'null') as { content: unknown };
}

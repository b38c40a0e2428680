import { afterAll, beforeAll, expect, test } from 'vitest';
import type { App } from '../../homeserver/http/app.ts';
import { createRoomWriter } from '../../homeserver/pipeline/create-room-writer.ts';
import type { EventDraft } from '../../homeserver/pipeline/room-writer.ts';
import { parseRoomId, parseUserId, type RoomId, type UserId } from '../../homeserver/room/identifiers.ts';
import type { Store } from '../../homeserver/storage/store.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';

let server: TestHomeserver;
let apps: [App, App];
let alice: RoomClient;
let sender: UserId;
beforeAll(async () => {
  server = await startHomeserver();
  const [first, second] = server.replicas;
  if (first === undefined || second === undefined) throw new Error('two replicas were asked for');
  apps = [first.app, second.app];
  alice = await newClient(server, 'alice');
  sender = present(parseUserId(alice.userId));
});
afterAll(() => server.stop());

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('this must be there');
  return value;
}

const newRoom = async (body: object = {}): Promise<RoomId> => present(parseRoomId(await alice.createRoom(body)));

const message = (body: string): EventDraft => ({
  type: 'm.room.message',
  sender,
  content: { msgtype: 'm.text', body },
});

/** A store whose database refuses every batch that holds this text, as it would for a row that breaks a constraint. */
function refusing(store: Store, poison: string): Store {
  const write: Store['batches']['write'] = async (input) => {
    if (JSON.stringify(input).includes(poison)) await store.db.query({ name: 'test_refuse', text: 'select 1 / 0' });
    return store.batches.write(input);
  };
  return { ...store, batches: { write } };
}

test('what the database refuses fails alone, not with all that shared its batch', async () => {
  const { store, config, keyring, log, metrics } = apps[0];
  const writer = createRoomWriter({ store: refusing(store, 'poison'), keyring, config, log, metrics });
  const [roomId, other] = [await newRoom(), await newRoom()];
  const stream = { kind: 'account_data', userNo: 1, roomNo: 0, type: 'com.example', content: '{}' } as const;
  const outcomes = await Promise.allSettled([
    writer.send(roomId, message('before')),
    writer.send(roomId, message('poison')),
    writer.send(roomId, message('after')),
    writer.send(other, message('elsewhere')),
    writer.writeStreams([stream]),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
  await writer.close();
});

test('the same message from two replicas at the same moment is two events', async () => {
  const roomId = await newRoom();
  for (let round = 0; round < 40; round += 1) {
    await Promise.all(apps.map((app) => app.writer.send(roomId, message('warm'))));
    const sent = await Promise.all(apps.map((app) => app.writer.send(roomId, message('twin'))));
    expect(new Set(sent.map(({ eventId }) => eventId)).size).toBe(2);
  }
});

test('many rooms that cannot be made do not use up the numbers of those that can', async () => {
  const levels = { users: { [alice.userId]: 100 } };
  // In version 12 creators are not listed: the last event of each of these rooms is refused.
  const bad = Array.from({ length: 200 }, () =>
    apps[0].writer.create('12', [
      { type: 'm.room.create', stateKey: '', sender, content: { room_version: '12' } },
      { type: 'm.room.member', stateKey: sender, sender, content: { membership: 'join' } },
      ...Array.from({ length: 20 }, (_, i) => message(`${i}`)),
      { type: 'm.room.power_levels', stateKey: '', sender, content: levels },
    ]),
  );
  await Promise.all(bad.map((room) => expect(room).rejects.toMatchObject({ code: 'M_INVALID_PARAM' })));
});

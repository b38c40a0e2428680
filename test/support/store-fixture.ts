import { randomBytes } from 'node:crypto';
import { createLogger } from '../../homeserver/log.ts';
import { parseEventId, parseRoomId } from '../../homeserver/room/identifiers.ts';
import type { EventId, RoomId } from '../../homeserver/room/identifiers.ts';
import { openStore, type Store } from '../../homeserver/storage/store.ts';
import type { NewEvent, RoomWrite } from '../../homeserver/storage/write-batch.ts';
import type { TestDatabase } from './postgres.ts';
import { TEST_SERVER_NAME } from './server-name.ts';

export const silentLog = createLogger({ level: 'silent' });

/** A store on a test database, as one replica has it. */
export function openTestStore(database: Pick<TestDatabase, 'config'>): Promise<Store> {
  const options = { log: silentLog, softwareVersion: '0.0.0-test', serverName: TEST_SERVER_NAME };
  return openStore({ database: database.config, ...options });
}

export function newEventId(): EventId {
  const id = parseEventId(`$${randomBytes(32).toString('base64url')}`);
  if (id === undefined) throw new Error('the event id does not parse');
  return id;
}

export function newRoomId(): RoomId {
  const id = parseRoomId(`!${randomBytes(12).toString('base64url')}:${TEST_SERVER_NAME}`);
  if (id === undefined) throw new Error('the room id does not parse');
  return id;
}

/** A message by user 1 on the room's state; fields replaced as wanted. */
export async function newMessage(store: Store, snapshot: number, more: Partial<NewEvent> = {}): Promise<NewEvent> {
  const eventId = newEventId();
  return {
    eventNo: await store.numbers.nextEventNo(),
    eventId,
    typeNo: await store.names.typeNo('m.room.message'),
    stateKeyNo: undefined,
    senderNo: 1,
    depth: 2,
    originServerTs: 1_700_000_000_000,
    stateBefore: snapshot,
    stateAfter: snapshot,
    countable: true,
    json: JSON.stringify({ content: { body: `${eventId} "quoted" \\ {braces}, é` } }),
    authEvents: [],
    plain: true,
    unmarkedText: false,
    ...more,
  };
}

/** A room with one state event, as the first write of a room is; not yet written. */
export async function newRoom(store: Store): Promise<RoomWrite & { roomId: RoomId }> {
  const snapshot = await store.numbers.nextSnapshot();
  const stateKeyNo = await store.names.stateKeyNo('m.room.create', '');
  const typeNo = await store.names.typeNo('m.room.create');
  const state = { stateKeyNo, typeNo, stateBefore: 0, stateAfter: snapshot, depth: 1, countable: false };
  const create = await newMessage(store, snapshot, state);
  const roomId = newRoomId();
  return {
    roomId,
    roomNo: await store.numbers.nextRoomNo(),
    newRoom: { roomId, version: 12 },
    expectedSnapshot: 0,
    newSnapshot: snapshot,
    knownTips: [],
    exact: false,
    usedTips: [],
    newTips: [create.eventNo],
    events: [create],
    snapshots: [
      { snapshot, base: 0, ordinal: 0, keys: [stateKeyNo], events: [create.eventNo], members: [], memberEvents: [] },
    ],
  };
}

/** Messages into a room whose state is `snapshot`. */
export function messagesInto(roomNo: number, snapshot: number, events: readonly NewEvent[]): RoomWrite {
  const newTips = events.slice(-1).map((event) => event.eventNo);
  const state = { expectedSnapshot: snapshot, newSnapshot: snapshot };
  return { roomNo, ...state, knownTips: [], exact: false, usedTips: [], newTips, events, snapshots: [] };
}

/** A member event on a room's state, and the room's part of a batch that holds it. */
export async function newMemberChange(
  store: Store,
  room: { roomNo: number; snapshot: number; tips: () => Promise<readonly number[]> },
  { userId, membership }: { userId: string; membership: number },
) {
  const userNo = await store.names.userNo(userId);
  const after = await store.numbers.nextSnapshot();
  const stateKeyNo = await store.names.stateKeyNo('m.room.member', userId);
  const event = await newMessage(store, room.snapshot, {
    stateKeyNo,
    stateAfter: after,
    countable: false,
    membership: { userNo, membership, flags: 0 },
  });
  const tips = await room.tips();
  const delta = { keys: [], events: [], members: [userNo], memberEvents: [event.eventNo] };
  const part: RoomWrite = {
    roomNo: room.roomNo,
    expectedSnapshot: room.snapshot,
    newSnapshot: after,
    knownTips: tips,
    exact: true,
    usedTips: tips,
    newTips: [event.eventNo],
    events: [event],
    snapshots: [{ snapshot: after, base: room.snapshot, ordinal: 1, ...delta }],
  };
  return { part, after, event, userNo };
}

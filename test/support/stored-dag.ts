import type pg from 'pg';
import type { RoomEvent } from '../../homeserver/room/event-format.ts';
import type { EventId } from '../../homeserver/room/identifiers.ts';
import { carriesEventId, type RoomVersionRules } from '../../homeserver/room/room-versions.ts';
import { nextSnapshot, type SnapshotChain } from '../../homeserver/storage/snapshot-delta.ts';
import type { Store } from '../../homeserver/storage/store.ts';
import { changesTo, type NumberedState } from '../../homeserver/pipeline/numbered-state.ts';
import type { StateMap } from '../../homeserver/room/state-map.ts';
import { insertSnapshot } from '../../homeserver/storage/tables/snapshots.ts';
import type { RoomDag } from './room-dag.ts';

/** A room of a story in the database: its events and the states after them, without a timeline. */
export interface StoredDag {
  readonly roomNo: number;
  readonly numbers: ReadonlyMap<EventId, number>;
  /** The snapshot after each event. */
  readonly snapshots: ReadonlyMap<EventId, number>;
}

/** Replaces what rooms the database has by this one. */
export async function storeDag(store: Store, client: pg.Client, dag: RoomDag): Promise<StoredDag> {
  await client.query('truncate events, event_auth, snapshots, auth_chains, auth_chain_links');
  const roomNo = await store.numbers.nextRoomNo();
  const numbers = new Map<EventId, number>();
  for (const id of dag.events.keys()) numbers.set(id, await store.numbers.nextEventNo());
  const states = new Map<EventId | undefined, { chain: SnapshotChain; state: NumberedState }>();
  const writer = { store, client, dag, roomNo, numbers };
  for (const { event, after } of dag.kept()) {
    await writeEvent(writer, event);
    const state = await numberedEntries(store, after, numbers);
    const parent = states.get(event.prevEvents[0]) ?? { chain: [], state: new Map<number, number>() };
    const next = nextSnapshot(await store.numbers.nextSnapshot(), parent.chain, changesTo(state, parent.state));
    await insertSnapshot(store.db, roomNo, next.row);
    await client.query('update events set state_after = $1 where event_id = $2', [next.row.snapshot, event.eventId]);
    states.set(event.eventId, { chain: next.chain, state });
  }
  const snapshots = new Map<EventId, number>();
  for (const [id, { chain }] of states) if (id !== undefined) snapshots.set(id, chain[0]?.snapshot ?? 0);
  return { roomNo, numbers, snapshots };
}

/** A state of the story by numbers, as a resolution gives it. */
export async function numberedEntries(
  store: Store,
  state: StateMap,
  numbers: ReadonlyMap<EventId, number>,
): Promise<Map<number, number>> {
  const entries = new Map<number, number>();
  for (const [key, id] of state) {
    const [type = '', stateKey = ''] = key.split('\0');
    const isMember = type === 'm.room.member';
    const no = isMember ? -(await store.names.userNo(stateKey)) : await store.names.stateKeyNo(type, stateKey);
    entries.set(no, numbers.get(id) ?? 0);
  }
  return entries;
}

interface Writer {
  readonly store: Store;
  readonly client: pg.Client;
  readonly dag: RoomDag;
  readonly roomNo: number;
  readonly numbers: ReadonlyMap<EventId, number>;
}

async function writeEvent({ store, client, dag, roomNo, numbers }: Writer, event: RoomEvent): Promise<void> {
  const eventNo = numbers.get(event.eventId);
  const { names } = store;
  const keyNo = event.stateKey === undefined ? null : await names.stateKeyNo(event.type, event.stateKey);
  const values = [
    eventNo,
    roomNo,
    await names.typeNo(event.type),
    keyNo,
    event.eventId,
    JSON.stringify(pduOf(event, dag.rules)),
  ];
  await client.query(
    `insert into events (event_no, room_no, sender_no, state_before, state_after, ts, depth, type_no, state_key_no, flags, event_id, json)
     values ($1, $2, 1, 0, 0, 0, 0, $3, $4, 0, $5, $6)`,
    values,
  );
  if (event.stateKey === undefined) return;
  const auth = event.authEvents.flatMap((id) => numbers.get(id) ?? []);
  await client.query('insert into event_auth values ($1, $2)', [eventNo, auth]);
}

/** The text of an event as a server sends it, without hashes and signatures. */
export function pduOf(event: RoomEvent, rules: RoomVersionRules): object {
  const reference = (id: EventId) => (carriesEventId(rules) ? [id, {}] : id);
  return {
    ...(event.carriesRoomId && { room_id: event.roomId }),
    type: event.type,
    ...(event.stateKey !== undefined && { state_key: event.stateKey }),
    sender: event.sender,
    content: event.content,
    depth: event.depth,
    origin_server_ts: event.originServerTs,
    prev_events: event.prevEvents.map(reference),
    auth_events: event.authEvents.map(reference),
    signatures: Object.fromEntries(event.signedBy.map((server) => [server, {}])),
  };
}

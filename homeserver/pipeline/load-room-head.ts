import { roomEventOf } from '../room/event-format.ts';
import { referenceTo } from '../room/event-hash.ts';
import { parseEventId, type EventId, type EventReference, type RoomId } from '../room/identifiers.ts';
import { carriesEventId, ROOM_VERSIONS, type RoomVersionRules } from '../room/room-versions.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import { isJsonObject, type JsonObject } from '../room/json-value.ts';
import { selectRoomHead, type HeadStateRow, type RoomHeadRow } from '../storage/room-reads/select-room-head.ts';
import type { Store } from '../storage/store.ts';
import type { StateEntry, Tip } from './room-head.ts';
import type { StateName } from './room-writer.ts';

/** A freshly read head: the named entries are there or absent, nothing else is known. */
export interface LoadedHead {
  readonly roomNo: number;
  readonly rules: RoomVersionRules;
  readonly snapshot: number;
  readonly tips: readonly Tip[];
  readonly found: readonly StateEntry[];
}

/** Reads a room's head and the named state entries in one query; undefined when we do not know the room. */
export async function loadRoomHead(
  store: Store,
  roomId: RoomId,
  names: readonly StateName[],
): Promise<LoadedHead | undefined> {
  const row = await selectRoomHead(store.db, roomId, await numbersOf(store, names));
  return row === undefined ? undefined : parseHead(row);
}

async function numbersOf(store: Store, names: readonly StateName[]) {
  const members = names.filter(([type]) => type === 'm.room.member').map(([, userId]) => userId);
  const others = names.filter(([type]) => type !== 'm.room.member');
  const [userNos, stateKeyNos] = await Promise.all([store.names.userNos(members), store.names.stateKeyNos(others)]);
  return { stateKeyNos, userNos: [...userNos.values()] };
}

function parseHead(row: RoomHeadRow): LoadedHead {
  const rules = ROOM_VERSIONS.get(String(row.version));
  if (rules === undefined) throw new Error(`room ${row.roomNo} is stored with the unknown version ${row.version}`);
  return {
    roomNo: row.roomNo,
    rules,
    snapshot: row.snapshot,
    tips: row.tips.map((tip) => parseTip(tip, rules)),
    found: row.state.map((state) => parseEntry(state, rules)),
  };
}

function parseTip(tip: RoomHeadRow['tips'][number], rules: RoomVersionRules): Tip {
  const { eventNo, eventId: text, depth, stateAfter, json } = tip;
  const eventId = storedEventId(text);
  const reference = json === undefined ? eventId : referenceTo(storedJson(text, json), eventId, rules);
  return { eventNo, eventId, reference, depth, stateAfter };
}

/** How other events name a stored one; its text is read only where that takes its hash. */
export function storedReference(
  { eventId, json }: { eventId: EventId; json: string },
  rules: RoomVersionRules,
): EventReference {
  return carriesEventId(rules) ? referenceTo(storedJson(eventId, json), eventId, rules) : eventId;
}

function parseEntry(row: HeadStateRow, rules: RoomVersionRules): StateEntry {
  const eventId = storedEventId(row.eventId);
  const pdu = storedJson(row.eventId, row.json);
  return {
    event: roomEventOf(pdu, eventId, rules),
    eventNo: row.eventNo,
    reference: referenceTo(pdu, eventId, rules),
    length: row.json.length,
  };
}

function storedJson(eventId: string, json: string): JsonObject {
  const parsed = parseLooseJson(json);
  if (!parsed.ok || !isJsonObject(parsed.value))
    throw new Error(`event ${eventId} is stored as something else than JSON`);
  return parsed.value;
}

function storedEventId(text: string): EventId {
  const eventId = parseEventId(text);
  if (eventId === undefined) throw new Error(`${text} is stored as an event id`);
  return eventId;
}

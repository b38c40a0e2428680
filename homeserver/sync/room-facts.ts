import { isJsonObject, ownMember, ownObject, ownString, type JsonObject, type JsonValue } from '../room/json-value.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import { selectCurrentKeys } from '../storage/sync-reads/select-state.ts';
import { selectEventsByNo } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { RoomRow } from '../storage/tables/rooms.ts';
import { eventContentJson } from './client-event.ts';
import type { SyncContext } from './context.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import { rulesOf } from './standing.ts';
import { storedEvent } from './stored-event.ts';

/** What a room's present state says of it to those who look from outside. */
export interface RoomFacts {
  readonly roomNo: number;
  readonly roomId: string;
  readonly version: string;
  readonly joined: number;
  readonly name: string | undefined;
  readonly topic: string | undefined;
  readonly avatarUrl: string | undefined;
  readonly canonicalAlias: string | undefined;
  readonly joinRule: string;
  /** Rooms whose members may join, for a restricted room. */
  readonly allowedRooms: readonly string[];
  readonly worldReadable: boolean;
  readonly guestCanJoin: boolean;
  readonly roomType: string | undefined;
  readonly encryption: string | undefined;
}

const FACT_TYPES = [
  'm.room.create',
  'm.room.name',
  'm.room.topic',
  'm.room.avatar',
  'm.room.canonical_alias',
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.guest_access',
  'm.room.encryption',
] as const;

/** Rooms of a join rule that are looked at. */
const MAX_ALLOWED_ROOMS = 100;

/** The facts of rooms by their numbers: two queries for all of them. */
export async function loadRoomFacts(ctx: SyncContext, rooms: readonly RoomRow[]): Promise<Map<number, RoomFacts>> {
  if (rooms.length === 0) return new Map();
  const keys = await ctx.store.names.stateKeyNos(FACT_TYPES.map((type) => [type, '']));
  const { db } = ctx.store;
  const roomNos = rooms.map((room) => room.room_no);
  const current = await selectCurrentKeys(db, roomNos, keys);
  const events = await selectEventsByNo(
    db,
    current.map((row) => row.event_no),
  );
  const byRoom = Map.groupBy(events, (row) => row.room_no);
  return new Map(rooms.map((room) => [room.room_no, factsOf(room, byRoom.get(room.room_no) ?? [])]));
}

function factsOf(room: RoomRow, rows: readonly TimelineRow[]): RoomFacts {
  const state = contentsOf(room, rows);
  const text = (type: (typeof FACT_TYPES)[number], key: string) => textOf(state.get(type), key);
  return {
    roomNo: room.room_no,
    roomId: room.room_id,
    version: String(room.version),
    joined: room.joined,
    name: text('m.room.name', 'name'),
    topic: topicOf(state.get('m.room.topic')),
    avatarUrl: text('m.room.avatar', 'url'),
    canonicalAlias: text('m.room.canonical_alias', 'alias'),
    joinRule: text('m.room.join_rules', 'join_rule') ?? 'invite',
    allowedRooms: allowedRoomsOf(state.get('m.room.join_rules') ?? {}),
    worldReadable: text('m.room.history_visibility', 'history_visibility') === 'world_readable',
    guestCanJoin: text('m.room.guest_access', 'guest_access') === 'can_join',
    roomType: text('m.room.create', 'type'),
    encryption: text('m.room.encryption', 'algorithm'),
  };
}

function contentsOf(room: RoomRow, rows: readonly TimelineRow[]): Map<string, JsonObject> {
  const standing = { roomId: room.room_id, rules: rulesOf(room.version) };
  const contents = new Map<string, JsonObject>();
  for (const row of rows) {
    const parsed = parseLooseJson(eventContentJson(storedEvent(row, standing)));
    const type = jsonString(jsonMembers(row.json).get('type'));
    if (type !== undefined && parsed.ok && isJsonObject(parsed.value)) contents.set(type, parsed.value);
  }
  return contents;
}

/** Empty texts count as none: so clients take away a name or an alias. */
function textOf(content: JsonObject | undefined, key: string): string | undefined {
  const text = ownString(content ?? {}, key);
  return text === '' ? undefined : text;
}

function topicOf(content: JsonObject | undefined): string | undefined {
  const texts = topicTexts(content);
  return texts === undefined ? textOf(content, 'topic') : plainTextOf(texts);
}

/** The plain text of a topic in its newer form, if it has one. Spec: client-server API, "m.room.topic" (v1.19). */
export function plainTopicOf(content: JsonObject): string | undefined {
  const texts = topicTexts(content);
  return texts && plainTextOf(texts);
}

function topicTexts(content: JsonObject | undefined): readonly JsonValue[] | undefined {
  const block = ownMember(ownObject(content ?? {}, 'm.topic') ?? {}, 'm.text');
  return Array.isArray(block) ? block : undefined;
}

function plainTextOf(texts: readonly JsonValue[]): string | undefined {
  const plain = texts.filter(isJsonObject).find((text) => ['text/plain', undefined].includes(mimetypeOf(text)));
  return textOf(plain, 'body');
}

function mimetypeOf(text: JsonObject): string | undefined {
  return ownString(text, 'mimetype');
}

function allowedRoomsOf(content: JsonObject): readonly string[] {
  const rule = ownString(content, 'join_rule');
  const allow = ownMember(content, 'allow');
  if ((rule !== 'restricted' && rule !== 'knock_restricted') || !Array.isArray(allow)) return [];
  const conditions: readonly JsonValue[] = allow;
  return conditions.slice(0, MAX_ALLOWED_ROOMS).flatMap((condition) => {
    if (!isJsonObject(condition) || ownString(condition, 'type') !== 'm.room_membership') return [];
    return ownString(condition, 'room_id') ?? [];
  });
}

/** A room as the directory, its summary and a space's hierarchy show it. Spec: client-server API, PublishedRoomsChunk (v1.19). */
export function publishedChunk(facts: RoomFacts): Readonly<Record<string, unknown>> {
  return {
    room_id: facts.roomId,
    num_joined_members: facts.joined,
    world_readable: facts.worldReadable,
    guest_can_join: facts.guestCanJoin,
    join_rule: facts.joinRule,
    name: facts.name,
    topic: facts.topic,
    avatar_url: facts.avatarUrl,
    canonical_alias: facts.canonicalAlias,
    room_type: facts.roomType,
  };
}

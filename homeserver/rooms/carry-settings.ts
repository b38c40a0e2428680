import { loadRoomHead } from '../pipeline/load-room-head.ts';
import { parseRoomId, type RoomId } from '../room/identifiers.ts';
import { isJsonObject, ownObject, ownString, type JsonObject, type JsonValue } from '../room/json-value.ts';
import { copyRoomRules } from '../room/push-rule-changes.ts';
import { parseJsonObject, parseLooseJson } from '../room/strict-json.ts';
import { selectCreateEvent } from '../storage/room-reads/select-create-event.ts';
import { selectOwnData } from '../storage/room-reads/select-own-data.ts';
import { parsePushRuleChanges } from '../storage/stored-push-rules.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';

type Owner = Pick<Actor, 'userNo'>;

/** A room and the one that replaces it. */
export interface Succession {
  readonly from: RoomId;
  readonly to: RoomId;
}

/**
 * Before a user joins a room: gives it what they have set for the room that it replaces, if each of the two names the other. A join that
 * is refused afterwards leaves settings that nobody is bothered by; the other way round a cut between both would lose them.
 */
export async function carrySettingsInto(ctx: RoomsContext, owner: Owner, roomId: RoomId): Promise<void> {
  const from = predecessorIn(ctx.writer.knownCreate(roomId)?.content ?? (await readCreateContent(ctx, roomId)));
  if (from === undefined || (await replacementOf(ctx, from)) !== roomId) return;
  await carrySettings(ctx, owner, { from, to: roomId });
}

async function readCreateContent(ctx: RoomsContext, roomId: RoomId): Promise<JsonObject> {
  const createKey = await ctx.store.names.stateKeyNo('m.room.create', '');
  const parsed = parseLooseJson((await selectCreateEvent(ctx.store.db, roomId, createKey)) ?? '{}');
  return (parsed.ok && isJsonObject(parsed.value) ? ownObject(parsed.value, 'content') : undefined) ?? {};
}

function predecessorIn(content: JsonObject): RoomId | undefined {
  return parseRoomId(ownString(ownObject(content, 'predecessor') ?? {}, 'room_id') ?? '');
}

async function replacementOf(ctx: RoomsContext, roomId: RoomId): Promise<string | undefined> {
  const head = await loadRoomHead(ctx.store, roomId, [['m.room.tombstone', '']]);
  return ownString(head?.found[0]?.event.content ?? {}, 'replacement_room');
}

/**
 * Gives a new room the tags, push rules and the mark as a direct chat that a user has made for the old one, which keeps them. May be
 * repeated: what the user has set for the new room stays. Spec: client-server API, "Room Upgrades" (v1.19).
 */
export async function carrySettings(ctx: RoomsContext, owner: Owner, succession: Succession): Promise<void> {
  await carryTags(ctx, owner, succession);
  await carryDirect(ctx, owner, succession);
  const { from, to } = succession;
  await ctx.writer.changeOwnData({ kind: 'push_rules', userNo: owner.userNo }, (text) => {
    const copied = text === undefined ? undefined : copyRoomRules(parsePushRuleChanges(text), from, to);
    return copied === undefined ? undefined : JSON.stringify(copied);
  });
}

async function carryTags(ctx: RoomsContext, { userNo }: Owner, { from, to }: Succession): Promise<void> {
  const [old, next] = await Promise.all([ctx.store.names.roomNo(from), ctx.store.names.roomNo(to)]);
  if (old === undefined || next === undefined) return;
  const key = { kind: 'account_data', userNo, type: 'm.tag' } as const;
  const tags = await selectOwnData(ctx.store.db, { ...key, roomNo: old });
  if (tags === undefined) return;
  await ctx.writer.changeOwnData({ ...key, roomNo: next }, (text) => (text === undefined ? tags.text : undefined));
}

async function carryDirect(ctx: RoomsContext, { userNo }: Owner, { from, to }: Succession): Promise<void> {
  await ctx.writer.changeOwnData({ kind: 'account_data', userNo, roomNo: 0, type: 'm.direct' }, (text) => {
    const lists = Object.entries(parseJsonObject(text));
    const next = lists.map(([userId, list]): [string, JsonValue] => [userId, withRoom(list, { from, to })]);
    const changed = next.some(([, list], i) => list !== lists[i]?.[1]);
    return changed ? JSON.stringify(Object.fromEntries(next)) : undefined;
  });
}

/** What clients wrote may have any shape; only lists of rooms are added to. */
function withRoom(list: JsonValue, { from, to }: Succession): JsonValue {
  if (!Array.isArray(list)) return list;
  const rooms: readonly JsonValue[] = list;
  return rooms.includes(from) && !rooms.includes(to) ? [...rooms, to] : rooms;
}

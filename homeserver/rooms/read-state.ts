import { MatrixError } from '../errors.ts';
import type { RoomId } from '../room/identifiers.ts';
import { isJsonObject, ownObject, ownString } from '../room/json-value.ts';
import { ROOM_VERSIONS, type RoomVersionRules } from '../room/room-versions.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import { stateOf } from '../storage/snapshot-delta.ts';
import { selectRoomForReader, type RoomForReaderRow } from '../storage/sync-reads/select-changes.ts';
import { selectMembersAt, selectSnapshotsAt, selectStateKeysAt } from '../storage/sync-reads/select-state.ts';
import { selectEventsByNo, type TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { selectSnapshotChain } from '../storage/room-reads/select-snapshot-chain.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';

/** `memberships.membership`. */
const JOIN = 1;
/** Branches that met have taken the membership away. */
const NONE = 0;
/** That, left and banned. */
const GONE: ReadonlySet<number | null> = new Set([NONE, 3, 4]);
/** Bit of `memberships.flags`. */
const HISTORY_FORGOTTEN = 4;
/** Membership events that are gone back over to find the end of a stay (an invite and a ban after having left, say). */
const MAX_STEPS = 16;

/** A room as far as the reader may see its state. */
export interface ReadableState {
  readonly roomId: string;
  readonly rules: RoomVersionRules;
  readonly snapshot: number;
}

/**
 * The state that a user may read: today's for members and in rooms that the world may read, that of their leaving for those who left,
 * also when they are invited again.
 * Errors: M_FORBIDDEN (was never in the room, or has forgotten it). Spec: client-server API, "getRoomState" (v1.19).
 */
export async function readableState(ctx: RoomsContext, actor: Actor, roomId: RoomId): Promise<ReadableState> {
  const room = await selectRoomForReader(ctx.store.db, roomId, actor.userNo);
  if (room === undefined) throw notInside();
  const rules = ROOM_VERSIONS.get(String(room.version));
  if (rules === undefined) throw new Error(`room version ${room.version} is not known to this program`);
  const snapshot = await readableSnapshot(ctx, actor, room);
  return { roomId: room.room_id, rules, snapshot };
}

/** Numbers of all state events at that moment, in no order. */
export async function readStateNumbers(ctx: RoomsContext, state: ReadableState): Promise<number[]> {
  const entries = stateOf(await selectSnapshotChain(ctx.store.db, state.snapshot));
  return [...entries.keys.values(), ...entries.members.values()];
}

/** One state event at that moment. Errors: M_NOT_FOUND. */
export async function readStateEvent(
  ctx: RoomsContext,
  state: ReadableState,
  name: { type: string; stateKey: string },
): Promise<TimelineRow> {
  const eventNo = await entryAt(ctx, state.snapshot, name);
  const row = await eventByNo(ctx, eventNo);
  if (row === undefined) throw new MatrixError('M_NOT_FOUND', 'The room has no such state.');
  return row;
}

async function entryAt(
  ctx: RoomsContext,
  snapshot: number,
  name: { type: string; stateKey: string },
): Promise<number | undefined> {
  const key = await keyOf(ctx, name);
  if (key === undefined) return undefined;
  const select = name.type === 'm.room.member' ? selectMembersAt : selectStateKeysAt;
  const [entry] = await select(ctx.store.db, { snapshots: [snapshot], keys: [key] });
  return entry?.event_no;
}

/** Looking a name up must not put it into the name tables: asking for state is no writing. */
async function keyOf(
  ctx: RoomsContext,
  { type, stateKey }: { type: string; stateKey: string },
): Promise<number | undefined> {
  const { names } = ctx.store;
  return type === 'm.room.member' ? names.findUserNo(stateKey) : names.findStateKeyNo(type, stateKey);
}

async function readableSnapshot(ctx: RoomsContext, actor: Actor, room: RoomForReaderRow): Promise<number> {
  if (room.membership === JOIN) return room.snapshot;
  const isForgotten = ((room.flags ?? 0) & HISTORY_FORGOTTEN) !== 0;
  const left = isForgotten ? undefined : await snapshotAtEnd(ctx, actor, room);
  if (left !== undefined && GONE.has(room.membership)) return left;
  if (await isWorldReadable(ctx, room.snapshot)) return room.snapshot;
  if (left !== undefined) return left;
  throw notInside();
}

async function snapshotAtEnd(ctx: RoomsContext, actor: Actor, row: RoomForReaderRow): Promise<number | undefined> {
  return row.membership === NONE ? snapshotBefore(ctx, row) : snapshotOfLeaving(ctx, actor, row);
}

/** The state right after the event that ended the user's last stay; undefined for one who was only ever invited. */
async function snapshotOfLeaving(ctx: RoomsContext, actor: Actor, row: RoomForReaderRow): Promise<number | undefined> {
  let event = await eventByNo(ctx, row.event_no ?? undefined);
  for (let step = 0; step < MAX_STEPS && event !== undefined; step += 1) {
    const before = await membershipBefore(ctx, actor, event);
    if (before !== undefined && contentText(before, 'membership') === 'join') return event.state_after;
    event = before;
  }
  return undefined;
}

/** Branches that met have ended the stay: the state before that, for one who was in the room and not only invited. */
async function snapshotBefore(ctx: RoomsContext, row: RoomForReaderRow): Promise<number | undefined> {
  const last = await eventByNo(ctx, row.event_no ?? undefined);
  if (last === undefined || contentText(last, 'membership') !== 'join') return undefined;
  const before = (row.position ?? 0) - 1;
  const [state] = await selectSnapshotsAt(ctx.store.db, [row.room_no], { anchor: before, position: before });
  return state?.snapshot;
}

/** The membership event that one of the same user replaced. */
async function membershipBefore(ctx: RoomsContext, actor: Actor, event: TimelineRow): Promise<TimelineRow | undefined> {
  const wants = { snapshots: [event.state_before], keys: [actor.userNo] };
  const [entry] = await selectMembersAt(ctx.store.db, wants);
  return eventByNo(ctx, entry?.event_no);
}

async function eventByNo(ctx: RoomsContext, eventNo: number | undefined): Promise<TimelineRow | undefined> {
  return eventNo === undefined ? undefined : (await selectEventsByNo(ctx.store.db, [eventNo]))[0];
}

async function isWorldReadable(ctx: RoomsContext, snapshot: number): Promise<boolean> {
  const eventNo = await entryAt(ctx, snapshot, { type: 'm.room.history_visibility', stateKey: '' });
  const row = await eventByNo(ctx, eventNo);
  return row !== undefined && contentText(row, 'history_visibility') === 'world_readable';
}

function contentText(row: TimelineRow, key: string): string | undefined {
  const parsed = parseLooseJson(row.json);
  if (!parsed.ok || !isJsonObject(parsed.value)) return undefined;
  return ownString(ownObject(parsed.value, 'content') ?? {}, key);
}

function notInside(): MatrixError {
  return new MatrixError('M_FORBIDDEN', 'You are not in this room and have not been.');
}

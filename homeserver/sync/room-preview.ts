import { MatrixError } from '../errors.ts';
import { selectJoinedIdsAmong, selectMembershipsIn } from '../storage/sync-reads/select-previews.ts';
import { selectRoomsById } from '../storage/tables/rooms.ts';
import type { SyncContext } from './context.ts';
import { MEMBERSHIP, MEMBERSHIP_NAMES } from './membership.ts';
import type { MembershipName } from './membership.ts';
import { loadRoomFacts, publishedChunk, type RoomFacts } from './room-facts.ts';
import type { ReadingUser } from './session.ts';
import { rulesOf } from './standing.ts';

/** Join rules under which everybody may ask for a room. */
const OPEN_RULES: ReadonlySet<string> = new Set(['public', 'knock', 'knock_restricted']);

const NAMES: ReadonlyMap<number, MembershipName> = new Map(MEMBERSHIP_NAMES.map((name) => [MEMBERSHIP[name], name]));

/** A room that the reader may look at from outside. */
export interface Preview {
  readonly facts: RoomFacts;
  readonly membership: MembershipName | undefined;
}

/**
 * Which of the rooms a user may know of, by room number: those they are in, are invited to, could join or knock on, and those that
 * the world may read. Two queries for all rooms.
 * Spec: client-server API, "getSpaceHierarchy" and "getRoomSummary" (v1.19).
 */
export async function previewable(
  ctx: SyncContext,
  reader: ReadingUser,
  rooms: readonly RoomFacts[],
): Promise<Map<number, Preview>> {
  if (rooms.length === 0) return new Map();
  const allowed = [...new Set(rooms.flatMap((facts) => facts.allowedRooms))];
  const [memberships, joined] = await Promise.all([
    selectMembershipsIn(
      ctx.store.db,
      reader.userNo,
      rooms.map((facts) => facts.roomNo),
    ),
    allowed.length === 0 ? [] : selectJoinedIdsAmong(ctx.store.db, reader.userNo, allowed),
  ]);
  const inside = new Map(memberships.map((row) => [row.room_no, NAMES.get(row.membership)]));
  const joinedIds = new Set(joined);
  const previews = rooms.map((facts) => ({ facts, membership: inside.get(facts.roomNo) }));
  return new Map(
    previews.filter((preview) => mayPreview(preview, joinedIds)).map((preview) => [preview.facts.roomNo, preview]),
  );
}

function mayPreview({ facts, membership }: Preview, joined: ReadonlySet<string>): boolean {
  if (membership === 'join' || membership === 'invite') return true;
  if (facts.worldReadable) return true;
  if (membership === 'ban') return false;
  // A rule that the room's version does not have lets nobody in.
  if (!rulesOf(Number(facts.version)).joinRules.has(facts.joinRule)) return false;
  return OPEN_RULES.has(facts.joinRule) || facts.allowedRooms.some((roomId) => joined.has(roomId));
}

/** A room summary's members. Spec: client-server API, RoomSummary (v1.19). */
export function summaryOf(facts: RoomFacts): Readonly<Record<string, unknown>> {
  return {
    ...publishedChunk(facts),
    room_version: facts.version,
    encryption: facts.encryption,
    allowed_room_ids: facts.allowedRooms.length === 0 ? undefined : facts.allowedRooms,
  };
}

/**
 * The summary of a room with the reader's membership. Errors: M_NOT_FOUND, also when the reader may not know of the room.
 * Spec: client-server API, "getRoomSummary" (v1.19).
 */
export async function readRoomSummary(ctx: SyncContext, reader: ReadingUser, roomId: string): Promise<unknown> {
  const rooms = await selectRoomsById(ctx.store.db, [roomId]);
  const facts = await loadRoomFacts(ctx, rooms);
  const [preview] = (await previewable(ctx, reader, [...facts.values()])).values();
  if (preview === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such room, or you may not look at it.');
  return { ...summaryOf(preview.facts), membership: preview.membership ?? 'leave' };
}

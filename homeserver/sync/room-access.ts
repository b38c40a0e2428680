import { MatrixError } from '../errors.ts';
import { selectMembership, selectRoomForReader } from '../storage/sync-reads/select-changes.ts';
import type { RoomForReaderRow } from '../storage/sync-reads/select-changes.ts';
import { selectCurrentKeys } from '../storage/sync-reads/select-state.ts';
import { selectEventsByNo } from '../storage/sync-reads/select-timeline.ts';
import { eventContentJson } from './client-event.ts';
import type { SyncContext } from './context.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import { isGone, MEMBERSHIP } from './membership.ts';
import { pointAt } from './position.ts';
import type { TimelinePoint } from './position.ts';
import type { KnownRoom } from './known-rooms.ts';
import type { ReadingUser, Session } from './session.ts';
import { findDepartures, rulesOf } from './standing.ts';
import type { GoneReader, Standing } from './standing.ts';
import { storedEvent } from './stored-event.ts';
import type { Standings } from './visibility.ts';

/** A room as far as one user may look into it. */
export interface RoomAccess {
  readonly standing: Standing;
  readonly standings: Standings;
  /** Nothing after this is for the reader. */
  readonly high: TimelinePoint;
  /** Snapshot of the state at `high`. */
  readonly end: number;
  /** The room as it stands now; undefined for those who are not in it. */
  readonly room: KnownRoom | undefined;
}

/** Bit of `memberships.flags`. */
const HISTORY_FORGOTTEN = 4;

/**
 * Opens a room for reading: for those who are joined, for those who have left it (up to there, also when they are invited again or
 * knock), and for everybody while it is world-readable. Errors: M_FORBIDDEN, also when there is no such room, or the reader was only ever invited to it.
 */
export async function openRoom(session: Session, roomId: string): Promise<RoomAccess> {
  const { joined, room } = await findRoom(session, roomId);
  if (joined !== undefined) return joined;
  const left = await accessOfLeft(session, room);
  if (left !== undefined && isGone(room.membership)) return left;
  if (await isWorldReadable(session, room)) return accessOfPasserBy(room);
  if (left !== undefined) return left;
  throw notInRoom();
}

/**
 * Opens a room to one event by its id, of which the rules of history visibility alone decide by the state at that event: what was said
 * while the world could read, or after an invite where the invited may, is for the reader wherever they are now.
 * Errors: M_FORBIDDEN when there is no such room. Spec: client-server API, "Room History Visibility" (v1.19).
 */
export async function openRoomForOneEvent(session: Session, roomId: string): Promise<RoomAccess> {
  const { joined, room } = await findRoom(session, roomId);
  if (joined !== undefined) return joined;
  const left = await accessOfLeft(session, room);
  if (left !== undefined) return { ...left, high: pointAt(room.head) };
  // Who declined an invite is told so by sync and has no more to look at here; who has forgotten the room has nothing until they join.
  const isOut = isGone(room.membership) || hasForgotten(room);
  if (isOut && !(await isWorldReadable(session, room))) throw notInRoom();
  return accessOfPasserBy(room);
}

type ReadRoom = Awaited<ReturnType<typeof readRoom>>;
type FoundRoom = { joined: RoomAccess; room?: undefined } | { joined?: undefined; room: ReadRoom };

async function findRoom(session: Session, roomId: string): Promise<FoundRoom> {
  const roomNo = await session.ctx.store.names.roomNo(roomId);
  if (roomNo === undefined) throw notInRoom();
  const known = await knownRoom(session, roomNo);
  if (known !== undefined) return { joined: accessOfJoined(known, session.ctx.store.feed.seen) };
  const room = await readRoom(session, roomId, roomNo);
  return room.membership === MEMBERSHIP.join ? { joined: accessOfJoined(room.known, room.head) } : { room };
}

/** From memory, once every commit up to now is known: what another replica has acknowledged before is in it. */
async function knownRoom({ ctx, reader }: Session, roomNo: number): Promise<KnownRoom | undefined> {
  const { knownRooms } = ctx.sync;
  if (knownRooms.joinedRoom(reader.userNo, roomNo) === undefined) return undefined;
  await ctx.store.feed.catchUp();
  return knownRooms.joinedRoom(reader.userNo, roomNo);
}

async function readRoom(session: Session, roomId: string, roomNo: number) {
  const { db, reader, numbers, ctx } = session;
  const upTo = ctx.sync.knownRooms.knownUpTo(roomNo);
  const row = await selectRoomForReader(db, roomId, reader.userNo, { upTo, redactionType: numbers.redactionType });
  if (row === undefined) throw notInRoom();
  return { ...row, known: ctx.sync.knownRooms.remember(row, upTo, reader.userNo) };
}

function notInRoom(): MatrixError {
  return new MatrixError('M_FORBIDDEN', 'You are not a member of this room.');
}

async function accessOfLeft(session: Session, room: RoomForReaderRow): Promise<RoomAccess | undefined> {
  const gone = goneFrom(room);
  return gone === undefined ? undefined : accessOfGone(session, room, gone);
}

/** How the reader is not in the room any more, unless they have forgotten what was. */
function goneFrom(room: RoomForReaderRow): GoneReader | undefined {
  const { room_no, membership, event_no, position } = room;
  if (event_no === null || membership === null || position === null) return undefined;
  return hasForgotten(room) ? undefined : { room_no, membership, event_no, position };
}

function hasForgotten({ flags }: RoomForReaderRow): boolean {
  return ((flags ?? 0) & HISTORY_FORGOTTEN) !== 0;
}

function accessOfJoined(room: KnownRoom, head: number): RoomAccess {
  const { roomNo, roomId, snapshot } = room;
  const membership = { joinedNow: true, lastJoin: undefined, joinedAt: snapshot };
  const standing = { roomNo, roomId, rules: rulesOf(room.version), ...membership };
  return { standing, standings: new Map([[roomNo, standing]]), high: pointAt(head), end: snapshot, room };
}

function accessOfPasserBy(room: RoomForReaderRow): RoomAccess {
  return access(room, { joinedNow: false, lastJoin: undefined }, pointAt(room.head), room.snapshot);
}

async function accessOfGone(
  session: Session,
  room: RoomForReaderRow,
  gone: GoneReader,
): Promise<RoomAccess | undefined> {
  const { lastJoin, position, snapshot } = (await findDepartures(session, [gone])).get(room.room_no) ?? {};
  if (lastJoin === undefined || position === undefined || snapshot === undefined) return undefined;
  return access(room, { joinedNow: false, lastJoin, until: position }, pointAt(position), snapshot);
}

function access(
  room: RoomForReaderRow,
  membership: Pick<Standing, 'joinedNow' | 'lastJoin' | 'until'>,
  high: TimelinePoint,
  end: number,
): RoomAccess {
  const standing = { roomNo: room.room_no, roomId: room.room_id, rules: rulesOf(room.version), ...membership };
  return { standing, standings: new Map([[room.room_no, standing]]), high, end, room: undefined };
}

async function isWorldReadable(session: Session, room: RoomForReaderRow): Promise<boolean> {
  const [current] = await selectCurrentKeys(session.db, [room.room_no], [session.numbers.visibilityKey]);
  if (current === undefined) return false;
  const [event] = await selectEventsByNo(session.db, [current.event_no]);
  if (event === undefined) return false;
  const content = eventContentJson(storedEvent(event, { roomId: room.room_id, rules: rulesOf(room.version) }));
  return jsonString(jsonMembers(content).get('history_visibility')) === 'world_readable';
}

/** The number of a room to which the user is joined. Errors: M_FORBIDDEN when not joined or there is no such room. */
export async function joinedRoomNo(ctx: SyncContext, reader: ReadingUser, roomId: string): Promise<number> {
  const roomNo = await ctx.store.names.roomNo(roomId);
  if (roomNo === undefined) throw notInRoom();
  if (ctx.sync.notifier.knownInterest(reader.userNo)?.rooms.has(roomNo) === true) return roomNo;
  if ((await selectMembership(ctx.store.db, roomNo, reader.userNo)) !== MEMBERSHIP.join) throw notInRoom();
  return roomNo;
}

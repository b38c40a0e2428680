import { MatrixError } from '../errors.ts';
import { selectMemberEventNos, selectMemberEvents } from '../storage/sync-reads/select-members.ts';
import { selectSnapshotsAt } from '../storage/sync-reads/select-state.ts';
import { selectOldest } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { SyncContext } from './context.ts';
import { giveStateEvents } from './give-events.ts';
import type { KnownRoom } from './known-rooms.ts';
import { EVENT_BYTES } from './large-reads.ts';
import { MemberList, ProfileList } from './member-list.ts';
import { MEMBERSHIP, MEMBERSHIP_NAMES, membershipOf } from './membership.ts';
import type { MembershipName } from './membership.ts';
import { comparePoints } from './position.ts';
import type { TimelinePoint } from './position.ts';
import { eventParts, EVENTS_OF_STATEMENT, readEvents } from './read-events.ts';
import { openRoom } from './room-access.ts';
import type { RoomAccess } from './room-access.ts';
import { openSession } from './session.ts';
import type { ReadingUser, Session } from './session.ts';
import { loadStates } from './state-maps.ts';
import type { GivenList } from './sync-state.ts';

export interface MembersRequest {
  readonly roomId: string;
  /** The members as they stood at this point. */
  readonly at: TimelinePoint | undefined;
  readonly membership: MembershipName | undefined;
  readonly notMembership: MembershipName | undefined;
}

/**
 * Membership events of a room as JSON text: the present ones for those who are joined, else those when the reader left.
 * Errors: M_FORBIDDEN. Spec: client-server API, "Getting events for a room", `/members` (v1.19).
 */
export async function readMembers(
  ctx: SyncContext,
  reader: ReadingUser,
  request: MembersRequest,
): Promise<string | Buffer> {
  const session = await openSession(ctx, reader);
  const access = await openRoom(session, request.roomId);
  const wanted = wantedMemberships(request);
  const isPresent =
    access.standing.joinedNow && (request.at === undefined || comparePoints(request.at, access.high) >= 0);
  if (isPresent && access.room !== undefined) {
    const names = [...wanted];
    const listed = { room: access.room, what: names.join(), names, list: new MemberList(access.standing) };
    return presentList(session, listed);
  }
  const rows = (await membersAt(session, access, request.at)).filter((row) => hasMembership(row, wanted));
  const texts = giveStateEvents(session, rows, access.standings, { withRoomId: true });
  return `{"chunk":[${[...texts.values()].join(',')}]}`;
}

/** A list that is to be filled with the events of the present members. */
interface Listed {
  readonly room: KnownRoom;
  /** Tells it from other lists of the room. */
  readonly what: string;
  readonly names: readonly MembershipName[];
  readonly list: GivenList & { add(row: TimelineRow): void };
}

/** The present members do not change without the snapshot, nor what their events say without a redaction. */
async function presentList(session: Session, listed: Listed): Promise<Buffer> {
  const { memberLists } = session.ctx.sync;
  const { room, what } = listed;
  const key = `${room.roomNo}/${room.snapshot}/${room.intactSince}/${what}`;
  const known = memberLists.get(key) ?? (await roomFor(session, room.joined, key));
  if (known !== undefined) return known.body(session.now);
  const read = await memberLists.readOnce([key], async () => new Map([[key, await fillAndKeep(session, listed, key)]]));
  return (read.get(key) ?? listed.list).body(session.now);
}

/** Waits until so many members may be read; somebody else may have done so meanwhile. */
async function roomFor(session: Session, members: number, key: string): Promise<GivenList | undefined> {
  const wait = session.reader.large?.take(members * EVENT_BYTES);
  if (wait === undefined) return undefined;
  await wait;
  return session.ctx.sync.memberLists.get(key);
}

async function fillAndKeep(session: Session, { room, names, list }: Listed, key: string): Promise<GivenList> {
  const { memberLists } = session.ctx.sync;
  const { generation } = memberLists;
  for await (const rows of presentMembers(session, room, names)) for (const row of rows) list.add(row);
  memberLists.set(key, { value: list, bytes: list.bytes }, generation);
  return list;
}

/** Both given together: either is enough. */
function wantedMemberships({ membership, notMembership }: MembersRequest): ReadonlySet<MembershipName> {
  if (membership === undefined && notMembership === undefined) return new Set(MEMBERSHIP_NAMES);
  const others = notMembership === undefined ? [] : MEMBERSHIP_NAMES.filter((name) => name !== notMembership);
  return new Set([...(membership === undefined ? [] : [membership]), ...others]);
}

/** In the order in which they came to hold; where they are many, some at a time. */
async function* presentMembers(
  session: Session,
  room: KnownRoom,
  names: readonly MembershipName[],
): AsyncGenerator<TimelineRow[]> {
  const kinds = names.map((name) => MEMBERSHIP[name]);
  if (room.joined <= EVENTS_OF_STATEMENT) {
    yield await selectMemberEvents(session.db, room.roomNo, kinds);
    return;
  }
  const places = new Map((await selectMemberEventNos(session.db, room.roomNo, kinds)).map((no, i) => [no, i]));
  const placeOf = (row: TimelineRow) => places.get(row.event_no) ?? 0;
  for await (const rows of eventParts(session, [...places.keys()]))
    yield rows.toSorted((a, b) => placeOf(a) - placeOf(b));
}

async function membersAt(session: Session, access: RoomAccess, at: TimelinePoint | undefined): Promise<TimelineRow[]> {
  const snapshot =
    at === undefined || comparePoints(at, access.high) >= 0 ? access.end : await snapshotAt(session, access, at);
  const state = (await loadStates(session, [snapshot], true)).get(snapshot);
  const rows = await readEvents(session, [...(state?.members.values() ?? [])]);
  return rows.toSorted((a, b) => a.position - b.position);
}

/**
 * Before its first event a room has no members: who has the whole timeline and asks with the token of its beginning means those who
 * began the room, its creation and the event after it.
 */
async function snapshotAt(session: Session, access: RoomAccess, at: TimelinePoint): Promise<number> {
  const { roomNo } = access.standing;
  const [found] = await selectSnapshotsAt(session.db, [roomNo], at);
  if (found !== undefined) return found.snapshot;
  const { anchor: highAnchor, position: highPosition } = access.high;
  const range = { roomNo, lowAnchor: 0, lowPosition: 0, highAnchor, highPosition };
  const first = await selectOldest(session.db, [range], { limit: 2, deviceNo: session.reader.deviceNo });
  return first.at(-1)?.state_after ?? 0;
}

function hasMembership(row: TimelineRow, wanted: ReadonlySet<string>): boolean {
  return wanted.has(membershipOf(row.json) ?? '');
}

/**
 * `{"joined": {userId: {display_name, avatar_url}}}` for somebody who is joined, null for what a member has not. Errors: M_FORBIDDEN.
 * The specification would have it left out; other servers say null, and Complement asks for the keys.
 * Spec: client-server API, `/joined_members` (v1.19).
 */
export async function readJoinedMembers(ctx: SyncContext, reader: ReadingUser, roomId: string): Promise<Buffer> {
  const session = await openSession(ctx, reader);
  const { standing, room } = await openRoom(session, roomId);
  if (room === undefined) throw new MatrixError('M_FORBIDDEN', 'You are not joined to this room.');
  return presentList(session, { room, what: 'profiles', names: ['join'], list: new ProfileList(standing) });
}

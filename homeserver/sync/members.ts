import { MatrixError } from '../errors.ts';
import { ownString, isJsonObject } from '../room/json-value.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import { selectMemberEvents } from '../storage/sync-reads/select-members.ts';
import { selectSnapshotsAt } from '../storage/sync-reads/select-state.ts';
import { selectEventsByNo, selectOldest } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { eventContentJson } from './client-event.ts';
import type { SyncContext } from './context.ts';
import { giveStateEvents } from './give-events.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import type { KnownRoom } from './known-rooms.ts';
import { MemberList } from './member-list.ts';
import { MEMBERSHIP, MEMBERSHIP_NAMES, membershipOf } from './membership.ts';
import type { MembershipName } from './membership.ts';
import { comparePoints } from './position.ts';
import type { TimelinePoint } from './position.ts';
import { openRoom } from './room-access.ts';
import type { RoomAccess } from './room-access.ts';
import { openSession } from './session.ts';
import type { ReadingUser, Session } from './session.ts';
import { loadStates } from './state-maps.ts';
import { storedEvent } from './stored-event.ts';

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
  if (isPresent && access.room !== undefined) return presentList(session, access, access.room, [...wanted]);
  const rows = (await membersAt(session, access, request.at)).filter((row) => hasMembership(row, wanted));
  const texts = giveStateEvents(session, rows, access.standings, { withRoomId: true });
  return `{"chunk":[${[...texts.values()].join(',')}]}`;
}

/** The present members do not change without the snapshot, nor what their events say without a redaction. */
async function presentList(
  session: Session,
  { standing }: RoomAccess,
  room: KnownRoom,
  names: readonly MembershipName[],
): Promise<Buffer> {
  const { memberLists } = session.ctx.sync;
  const { generation } = memberLists;
  const key = `${room.roomNo}/${room.snapshot}/${room.intactSince}/${names.join()}`;
  const known = memberLists.get(key);
  if (known !== undefined) return known.body(session.now);
  const list = new MemberList(await presentMembers(session, room.roomNo, names), standing);
  memberLists.set(key, { value: list, bytes: list.bytes }, generation);
  return list.body(session.now);
}

/** Both given together: either is enough. */
function wantedMemberships({ membership, notMembership }: MembersRequest): ReadonlySet<MembershipName> {
  if (membership === undefined && notMembership === undefined) return new Set(MEMBERSHIP_NAMES);
  const others = notMembership === undefined ? [] : MEMBERSHIP_NAMES.filter((name) => name !== notMembership);
  return new Set([...(membership === undefined ? [] : [membership]), ...others]);
}

function presentMembers(session: Session, roomNo: number, names: readonly MembershipName[]): Promise<TimelineRow[]> {
  return selectMemberEvents(
    session.db,
    roomNo,
    names.map((name) => MEMBERSHIP[name]),
  );
}

async function membersAt(session: Session, access: RoomAccess, at: TimelinePoint | undefined): Promise<TimelineRow[]> {
  const snapshot =
    at === undefined || comparePoints(at, access.high) >= 0 ? access.end : await snapshotAt(session, access, at);
  const state = (await loadStates(session, [snapshot], true)).get(snapshot);
  const rows = await selectEventsByNo(session.db, [...(state?.members.values() ?? [])]);
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
export async function readJoinedMembers(ctx: SyncContext, reader: ReadingUser, roomId: string): Promise<unknown> {
  const session = await openSession(ctx, reader);
  const access = await openRoom(session, roomId);
  if (!access.standing.joinedNow) throw new MatrixError('M_FORBIDDEN', 'You are not joined to this room.');
  const rows = await presentMembers(session, access.standing.roomNo, ['join']);
  return { joined: Object.fromEntries(rows.map((row) => profileOf(row, access))) };
}

function profileOf(row: TimelineRow, access: RoomAccess): [string, Record<string, string | null>] {
  const userId = jsonString(jsonMembers(row.json).get('state_key')) ?? '';
  const parsed = parseLooseJson(eventContentJson(storedEvent(row, access.standing)));
  const content = parsed.ok && isJsonObject(parsed.value) ? parsed.value : {};
  const text = (key: string) => ownString(content, key) ?? null;
  return [userId, { display_name: text('displayname'), avatar_url: text('avatar_url') }];
}

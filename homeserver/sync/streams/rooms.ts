import { selectChangesSince, selectEverything, selectJoinedAmong } from '../../storage/sync-reads/select-changes.ts';
import type { ChangesRow, EverythingRow, MembershipRow } from '../../storage/sync-reads/select-changes.ts';
import { selectMembersAt } from '../../storage/sync-reads/select-state.ts';
import { selectEventsByNo } from '../../storage/sync-reads/select-timeline.ts';
import type { FoundChanges } from '../changes-memory.ts';
import type { CompiledFilter } from '../compiled-filter.ts';
import { isGone, MEMBERSHIP, membershipOf, NO_MEMBERSHIP } from '../membership.ts';
import { comparePoints, pointAt, START_OF_ROOM } from '../position.ts';
import type { TimelinePoint } from '../position.ts';
import type { Session } from '../session.ts';
import { findDepartures, rulesOf } from '../standing.ts';
import type { Departure, Standing } from '../standing.ts';
import type { SyncRequest } from '../sync-request.ts';
import { presenceRows } from './presence.ts';

/** What a sync has to find out about one room in `join` or `leave`. */
export interface RoomPlan {
  readonly row: MembershipRow;
  readonly standing: Standing;
  readonly section: 'join' | 'leave';
  /** The timeline lies after `low`, up to and including `high`. */
  readonly low: TimelinePoint;
  readonly high: TimelinePoint;
  /** `full`: all state; `changes`: what differs from `base`; `none`: the reader was never in the room in that time. */
  readonly state: 'full' | 'changes' | 'none';
  /** Snapshot of the state at `high`, or where the reader left if their membership has changed since. */
  readonly end: number;
  /** Position up to which the reader may know the state: `end` is the state there. */
  readonly endsAt: number;
  /** Snapshot of the state that the client has; 0 with `full` and `none`. */
  readonly base: number;
  /** The client learns of the room for the first time: receipts and account data are given whole. */
  readonly isNew: boolean;
}

/** All rooms that one answer may speak of. */
export interface SyncPlan {
  readonly rooms: readonly RoomPlan[];
  readonly invited: readonly MembershipRow[];
  readonly knocked: readonly MembershipRow[];
}

/** Bit of `memberships.flags`. */
const FORGOTTEN = 1;

export interface PlanInput {
  readonly since: number | undefined;
  readonly head: number;
  readonly fullState: boolean;
  readonly filter: CompiledFilter;
}

/** Finds what the answer may have to speak of, in memory or in one statement. */
export async function readChanges(session: Session, request: SyncRequest): Promise<FoundChanges> {
  const known = await knownChanges(session, request);
  if (known !== undefined) return known;
  const changes = await selectChanges(session, request);
  const found = { changes, interest: { userNo: session.reader.userNo, rooms: new Set(changes.joined) } };
  session.ctx.sync.changes.remember(found);
  return found;
}

async function knownChanges({ ctx, reader }: Session, request: SyncRequest): Promise<FoundChanges | undefined> {
  const { since, fullState, mayLag } = request;
  if (since === undefined || fullState) return undefined;
  if (mayLag !== true) await ctx.store.feed.catchUp();
  return ctx.sync.changes.read(reader.userNo, since.position);
}

function selectChanges(session: Session, request: SyncRequest): Promise<ChangesRow | EverythingRow> {
  const { db, reader } = session;
  const { since, filter, fullState } = request;
  if (since !== undefined) return selectChangesSince(db, reader.userNo, since.position, fullState);
  const { join, invite, knock, leave, ban } = MEMBERSHIP;
  const gone = [leave, ban, NO_MEMBERSHIP];
  const kinds = filter.includeLeave ? [join, invite, knock, ...gone] : [join, invite, knock];
  return selectEverything(db, reader.userNo, { kinds, presence: presenceRows(session.ctx, request) });
}

/** The rooms of an answer, from the memberships that were read. */
export async function planRooms(
  session: Session,
  found: readonly MembershipRow[],
  input: PlanInput,
): Promise<SyncPlan> {
  const rows = found.filter((row) => input.filter.matchesRoom(row.room_id));
  const gone = rows.filter((row) => isGone(row.membership));
  const inside = rows.filter((row) => isGone(row.membership) || row.membership === MEMBERSHIP.join);
  const [departures, bases] = await Promise.all([
    gone.length === 0 ? new Map<number, Departure>() : findDepartures(session, gone),
    findBases(session, inside, input.since),
  ]);
  return {
    rooms: inside
      .filter((row) => (row.flags & FORGOTTEN) === 0 || bases.get(row.room_no)?.wasShown === true)
      .map((row) => planRoom(row, { input, departure: departures.get(row.room_no), base: bases.get(row.room_no) })),
    invited: rows.filter((row) => row.membership === MEMBERSHIP.invite),
    knocked: rows.filter((row) => row.membership === MEMBERSHIP.knock),
  };
}

/** State that the client has of a room, and what the reader was then. */
interface Base {
  readonly snapshot: number;
  readonly wasJoined: boolean;
  /** Joined, invited or knocking: a client has to be told that this is over, whatever is forgotten since. */
  readonly wasShown: boolean;
}

/** The state at `since` for every room that had one. Without `since` there is none. */
async function findBases(
  session: Session,
  rows: readonly MembershipRow[],
  since: number | undefined,
): Promise<Map<number, Base>> {
  if (since === undefined) return new Map();
  // A membership event that is older than `since` still holds: whoever is joined by it was joined then.
  const changed = rows.filter((row) => row.position > since).flatMap((row) => row.base ?? []);
  const memberships = await ownMembershipsAt(session, changed);
  const bases = new Map<number, Base>();
  for (const { room_no: roomNo, base, position } of rows) {
    if (base === null) continue;
    const membership = position <= since ? 'join' : memberships.get(base);
    bases.set(roomNo, { snapshot: base, wasJoined: membership === 'join', wasShown: SHOWN.has(membership) });
  }
  return bases;
}

const SHOWN: ReadonlySet<string | undefined> = new Set(['join', 'invite', 'knock']);

/** By snapshot; where there was none it is missing. */
async function ownMembershipsAt(
  session: Session,
  snapshots: readonly number[],
): Promise<Map<number, string | undefined>> {
  if (snapshots.length === 0) return new Map();
  const entries = await selectMembersAt(session.db, { snapshots, keys: snapshots.map(() => session.reader.userNo) });
  const events = await selectEventsByNo(
    session.db,
    entries.map((entry) => entry.event_no),
  );
  const memberships = new Map(events.map((row) => [row.event_no, membershipOf(row.json)]));
  return new Map(entries.map((entry) => [entry.snapshot, memberships.get(entry.event_no)]));
}

interface PlanFacts {
  readonly input: PlanInput;
  readonly departure: Departure | undefined;
  readonly base: Base | undefined;
}

function planRoom(row: MembershipRow, facts: PlanFacts): RoomPlan {
  const joinedNow = row.membership === MEMBERSHIP.join;
  const lastJoin = facts.departure?.lastJoin;
  const until = facts.departure?.position ?? row.position;
  const room = { roomNo: row.room_no, roomId: row.room_id, rules: rulesOf(row.version) };
  const standing = { ...room, joinedNow, lastJoin, ...(joinedNow ? { joinedAt: row.snapshot } : { until }) };
  const common = { row, standing, ...sectionOf(row, facts) };
  return { ...common, ...coverage(facts, joinedNow) };
}

/** After leaving, nothing more is given but what becomes of the reader's own membership. */
function sectionOf(
  row: MembershipRow,
  { input, departure }: PlanFacts,
): Pick<RoomPlan, 'section' | 'high' | 'end' | 'endsAt'> {
  if (departure === undefined) {
    return { section: 'join', high: pointAt(input.head), end: row.snapshot, endsAt: input.head };
  }
  const { snapshot, position } = departure;
  return { section: 'leave', high: pointAt(row.position), end: snapshot, endsAt: position };
}

/** From where on the client needs the room. */
function coverage(facts: PlanFacts, joinedNow: boolean): Pick<RoomPlan, 'low' | 'state' | 'base' | 'isNew'> {
  const { input, departure, base } = facts;
  const lastJoin = joinedNow ? START_OF_ROOM : departure?.lastJoin;
  if (input.since === undefined) return wholeRoom(lastJoin !== undefined);
  const low = pointAt(input.since);
  if (base?.wasJoined === true) {
    return input.fullState
      ? { low, state: 'full', base: 0, isNew: false }
      : { low, state: 'changes', base: base.snapshot, isNew: false };
  }
  const cameIn = joinedNow || (lastJoin !== undefined && comparePoints(lastJoin, low) > 0);
  return cameIn ? wholeRoom(true) : { low, state: 'none', base: 0, isNew: false };
}

function wholeRoom(hasBeenIn: boolean) {
  return { low: START_OF_ROOM, state: hasBeenIn ? 'full' : 'none', base: 0, isNew: true } as const;
}

/** Joined rooms of which the answer speaks only because something other than events is new (receipts, typing, data). */
export async function planQuietRooms(
  session: Session,
  roomNos: readonly number[],
  input: PlanInput,
): Promise<RoomPlan[]> {
  if (roomNos.length === 0 || input.since === undefined) return [];
  const rows = await selectJoinedAmong(session.db, session.reader.userNo, roomNos);
  return rows
    .filter((row) => input.filter.matchesRoom(row.room_id))
    .map((row) => {
      const base = { snapshot: row.snapshot, wasJoined: true, wasShown: true };
      return planRoom(row, { input, departure: undefined, base });
    });
}

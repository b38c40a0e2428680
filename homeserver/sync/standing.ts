import { ROOM_VERSIONS } from '../room/room-versions.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import { selectMembersAt, selectSnapshotsAt } from '../storage/sync-reads/select-state.ts';
import { selectEventsByNo } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { membershipOf, NO_MEMBERSHIP } from './membership.ts';
import { pointAt, type TimelinePoint } from './position.ts';
import type { Session } from './session.ts';

/** What decides, beside the state at an event, whether a user may read it. */
export interface Standing {
  readonly roomNo: number;
  readonly roomId: string;
  readonly rules: RoomVersionRules;
  readonly joinedNow: boolean;
  /** The user's newest join; undefined if they never joined. Only looked up for users who are not joined now. */
  readonly lastJoin: TimelinePoint | undefined;
  /** Snapshot of the room's state in which the user is joined, with `joinedNow`; undefined if it has not been read with the rest. */
  readonly joinedAt?: number;
  /** Position after which nothing is for a user who has left; absent for all others. */
  readonly until?: number;
}

/** How many membership events are looked through for a join (invite, leave, ban ... in a row). */
const MAX_STEPS = 16;

/** Whether the user joined at some time after the event. */
export function joinedSince(standing: Standing, event: TimelinePoint): boolean {
  if (standing.joinedNow) return true;
  const join = standing.lastJoin;
  return (
    join !== undefined &&
    (join.anchor > event.anchor || (join.anchor === event.anchor && join.position > event.position))
  );
}

/** The rules of a room's version. Throws when this program does not know it, which only a newer one could have stored. */
export function rulesOf(version: number): RoomVersionRules {
  const rules = ROOM_VERSIONS.get(String(version));
  if (rules === undefined) throw new Error(`room version ${version} is not known to this program`);
  return rules;
}

/** What is known of a room that the reader has left. */
export interface Departure {
  /** Position and state right after the event that ended the reader's last stay: later ones (a ban, an invite) are none of it. */
  readonly position: number;
  readonly snapshot: number;
  /** The reader's newest join; undefined if they never joined. */
  readonly lastJoin: TimelinePoint | undefined;
}

/** The membership of a reader who is not in the room any more, as `memberships` has it. */
export interface GoneReader {
  readonly room_no: number;
  readonly membership: number;
  readonly event_no: number;
  readonly position: number;
}

/**
 * Facts about rooms that the reader is not joined to, by room number; the join, and the event after it, are found by going back
 * from membership event to membership event, all rooms one step together. Who never joined has the newest event's.
 */
export async function findDepartures(session: Session, rooms: readonly GoneReader[]): Promise<Map<number, Departure>> {
  const found = new Map<number, Departure>();
  /** The membership event of each room that was looked at last, and at first. */
  const later = new Map<number, TimelineRow>();
  const newest = new Map<number, TimelineRow>();
  let eventNos = rooms.map((room) => room.event_no);
  for (let step = 0; step < MAX_STEPS && eventNos.length > 0; step += 1) {
    const rows = await selectEventsByNo(session.db, eventNos);
    for (const row of rows) {
      const lastJoin = membershipOf(row.json) === 'join' ? row : undefined;
      const end = (lastJoin && later.get(row.room_no)) ?? newest.get(row.room_no) ?? row;
      found.set(row.room_no, { position: end.position, snapshot: end.state_after, lastJoin });
      later.set(row.room_no, row);
      if (step === 0) newest.set(row.room_no, row);
    }
    eventNos = await previousMemberships(
      session,
      rows.filter((row) => found.get(row.room_no)?.lastJoin === undefined),
    );
  }
  await correctMerged(session, rooms, { found, newest });
  return found;
}

interface FoundDepartures {
  readonly found: Map<number, Departure>;
  readonly newest: ReadonlyMap<number, TimelineRow>;
}

/** Where branches that met have ended the stay, it was there, and not where the event stands that holds or held last. */
async function correctMerged(session: Session, rooms: readonly GoneReader[], facts: FoundDepartures): Promise<void> {
  const { found, newest } = facts;
  for (const { room_no: roomNo, membership, position } of rooms) {
    const departure = found.get(roomNo);
    const event = newest.get(roomNo);
    if (departure === undefined || event === undefined || departure.position !== event.position) continue;
    if (membership !== NO_MEMBERSHIP && event.position === position) continue;
    // The event of the merge itself is not of the stay.
    const before = position - 1;
    const [state] = await selectSnapshotsAt(session.db, [roomNo], pointAt(before));
    found.set(roomNo, { ...departure, position: before, snapshot: state?.snapshot ?? 0 });
  }
}

async function previousMemberships(session: Session, rows: readonly TimelineRow[]): Promise<number[]> {
  if (rows.length === 0) return [];
  const snapshots = rows.map((row) => row.state_before);
  const entries = await selectMembersAt(session.db, { snapshots, keys: rows.map(() => session.reader.userNo) });
  return entries.map((entry) => entry.event_no);
}

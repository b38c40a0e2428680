import type { MembershipRow } from '../../storage/sync-reads/select-changes.ts';
import { selectFirstMembers } from '../../storage/sync-reads/select-members.ts';
import type { FirstMemberRow, HeroRow } from '../../storage/sync-reads/select-members.ts';
import type { Session } from '../session.ts';
import type { RoomPlan } from './rooms.ts';
import type { TimelineWindow } from './timeline.ts';

const MOST_HEROES = 5;

/** Whether the members of the room may have changed, so that the client needs a new summary. */
export function needsSummary(session: Session, plan: RoomPlan, window: TimelineWindow): boolean {
  if (plan.section !== 'join') return false;
  if (plan.state === 'full' || window.limited) return true;
  return window.scanned.some((row) => row.type_no === session.numbers.memberType);
}

/** The heroes of each of these rooms, by room number; at most five, none where the reader is alone. */
export async function readHeroes(session: Session, plans: readonly RoomPlan[]): Promise<Map<number, HeroRow[]>> {
  const { firstMembers } = session.ctx.sync;
  const { generation } = firstMembers;
  const known = new Map(plans.map(({ row }) => [row.room_no, firstMembers.get(keyOf(row))]));
  const missing = plans.filter(({ row }) => known.get(row.room_no) === undefined).map(({ row }) => row);
  if (missing.length > 0) {
    const read = await selectFirstMembers(
      session.db,
      missing.map((row) => row.room_no),
    );
    const byRoom = Map.groupBy(read, (row) => row.room_no);
    for (const row of missing) {
      const first = byRoom.get(row.room_no) ?? [];
      known.set(row.room_no, first);
      firstMembers.set(keyOf(row), { value: first, bytes: 200 * first.length }, generation);
    }
  }
  return new Map([...known].map(([roomNo, first]) => [roomNo, heroesAmong(first ?? [], session.reader.userNo)]));
}

/** Members do not change without the state of the room. */
function keyOf(row: MembershipRow): string {
  return `${row.room_no}/${row.snapshot}`;
}

/** Those who are there, without the reader; where there is nobody else, those who have gone. */
function heroesAmong(first: readonly FirstMemberRow[], readerNo: number): FirstMemberRow[] {
  const others = first.filter((member) => member.user_no !== readerNo);
  const present = others.filter((member) => !member.gone);
  return (present.length > 0 ? present : others).slice(0, MOST_HEROES);
}

/** Spec: client-server API, RoomSummary of "Syncing" (v1.19). */
export function summaryJson(plan: RoomPlan, heroes: readonly HeroRow[]): string {
  return JSON.stringify({
    'm.heroes': heroes.map((hero) => hero.user_id),
    'm.joined_member_count': plan.row.joined,
    'm.invited_member_count': plan.row.invited,
  });
}

import { selectHeroes } from '../../storage/sync-reads/select-members.ts';
import type { HeroRow } from '../../storage/sync-reads/select-members.ts';
import type { Session } from '../session.ts';
import type { RoomPlan } from './rooms.ts';
import type { TimelineWindow } from './timeline.ts';

/** Whether the members of the room may have changed, so that the client needs a new summary. */
export function needsSummary(session: Session, plan: RoomPlan, window: TimelineWindow): boolean {
  if (plan.section !== 'join') return false;
  if (plan.state === 'full' || window.limited) return true;
  return window.scanned.some((row) => row.type_no === session.numbers.memberType);
}

/** The heroes of each of these rooms, by room number; at most five, none where the reader is alone. */
export async function readHeroes(session: Session, plans: readonly RoomPlan[]): Promise<Map<number, HeroRow[]>> {
  if (plans.length === 0) return new Map();
  const roomNos = plans.map((plan) => plan.row.room_no);
  const found = Map.groupBy(await selectHeroes(session.db, roomNos, session.reader.userNo), (row) => row.room_no);
  return new Map(roomNos.map((roomNo) => [roomNo, found.get(roomNo) ?? []]));
}

/** Spec: client-server API, RoomSummary of "Syncing" (v1.19). */
export function summaryJson(plan: RoomPlan, heroes: readonly HeroRow[]): string {
  return JSON.stringify({
    'm.heroes': heroes.map((hero) => hero.user_id),
    'm.joined_member_count': plan.row.joined,
    'm.invited_member_count': plan.row.invited,
  });
}

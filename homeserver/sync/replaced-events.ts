import { selectMemberNumbers } from '../storage/sync-reads/select-members.ts';
import { selectMembersAt, selectStateKeysAt } from '../storage/sync-reads/select-state.ts';
import type { StateEntryRow } from '../storage/sync-reads/select-state.ts';
import { selectEventsByNo } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { Session } from './session.ts';

/** The state event that each state event among the rows replaced, by the number of the newer one. */
export async function replacedEvents(
  session: Session,
  rows: readonly TimelineRow[],
): Promise<Map<number, TimelineRow>> {
  const changes = rows.filter((row) => row.state_key_no !== null && row.state_before !== 0);
  if (changes.length === 0) return new Map();
  const memberType = session.numbers.memberType;
  const [keyed, members] = await Promise.all([
    entriesBefore(
      changes.filter((row) => row.type_no !== memberType),
      (wants) => selectStateKeysAt(session.db, wants),
      keyNo,
    ),
    membersBefore(
      session,
      changes.filter((row) => row.type_no === memberType),
    ),
  ]);
  const replaced = new Map([...keyed, ...members]);
  if (replaced.size === 0) return new Map();
  const events = await selectEventsByNo(session.db, [...new Set(replaced.values())]);
  const byNo = new Map(events.map((row) => [row.event_no, row]));
  return mapValues(replaced, (eventNo) => byNo.get(eventNo));
}

function keyNo(row: TimelineRow): number | undefined {
  return row.state_key_no ?? undefined;
}

async function membersBefore(session: Session, changes: readonly TimelineRow[]): Promise<Map<number, number>> {
  if (changes.length === 0) return new Map();
  const userNo = await memberNumbers(session, changes);
  return entriesBefore(changes, (wants) => selectMembersAt(session.db, wants), userNo);
}

/** The user number that an m.room.member event is about. */
async function memberNumbers(session: Session, rows: readonly TimelineRow[]) {
  const keys = rows.flatMap((row) => row.state_key_no ?? []);
  const numbers = await selectMemberNumbers(session.db, [...new Set(keys)], session.numbers.memberType);
  const byKey = new Map(numbers.map((found) => [found.state_key_no, found.user_no]));
  return (row: TimelineRow) => (row.state_key_no === null ? undefined : byKey.get(row.state_key_no));
}

type Wants = { snapshots: readonly number[]; keys: readonly number[] };

async function entriesBefore(
  rows: readonly TimelineRow[],
  select: (wants: Wants) => Promise<StateEntryRow[]>,
  keyOf: (row: TimelineRow) => number | undefined,
): Promise<Map<number, number>> {
  const keyed = rows.flatMap((row) => {
    const key = keyOf(row);
    return key === undefined ? [] : [{ row, key }];
  });
  if (keyed.length === 0) return new Map();
  const wants = { snapshots: keyed.map(({ row }) => row.state_before), keys: keyed.map(({ key }) => key) };
  const entries = new Map((await select(wants)).map((entry) => [`${entry.snapshot}/${entry.key}`, entry.event_no]));
  const found = new Map<number, number>();
  for (const { row, key } of keyed) {
    const eventNo = entries.get(`${row.state_before}/${key}`);
    if (eventNo !== undefined) found.set(row.event_no, eventNo);
  }
  return found;
}

function mapValues<V, W>(map: ReadonlyMap<number, V>, change: (value: V) => W | undefined): Map<number, W> {
  const changed = new Map<number, W>();
  for (const [key, value] of map) {
    const next = change(value);
    if (next !== undefined) changed.set(key, next);
  }
  return changed;
}

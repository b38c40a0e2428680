import { selectMemberNumbers } from '../storage/sync-reads/select-members.ts';
import { selectMembersAt, selectStateKeysAt } from '../storage/sync-reads/select-state.ts';
import type { StateEntryRow } from '../storage/sync-reads/select-state.ts';
import { selectEventsByNo } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { bundleAggregations } from './aggregations.ts';
import { clientEventJson, eventContentJson } from './client-event.ts';
import type { EventView, StoredEvent } from './client-event.ts';
import type { Session } from './session.ts';
import type { Standing } from './standing.ts';
import { storedEvent } from './stored-event.ts';
import { filterVisible, membershipAfter } from './visibility.ts';
import type { Standings } from './visibility.ts';

export interface GiveOptions {
  readonly withRoomId: boolean;
  /** Which events get their bundled aggregations; all when absent. */
  readonly bundled?: (row: TimelineRow) => boolean;
  /** Which events are given as if they were redacted; none when absent. */
  readonly hidden?: (row: TimelineRow) => boolean;
}

/** Timeline events as JSON text with all that `unsigned` has for the reader: event number -> text. Rows must be visible. */
export async function giveTimelineEvents(
  session: Session,
  rows: readonly TimelineRow[],
  standings: Standings,
  options: GiveOptions,
): Promise<Map<number, string>> {
  const { withRoomId, bundled, hidden } = options;
  const parents = bundled === undefined ? rows : rows.filter(bundled);
  const [replaced, aggregations] = await Promise.all([
    replacedEvents(session, rows),
    bundleAggregations({ session, standings, withRoomId }, parents),
  ]);
  const readable = new Set(
    (await filterVisible(session, [...replaced.values()], standings)).map((row) => row.event_no),
  );
  const given = new Map<number, string>();
  for (const row of rows) {
    const room = standings.get(row.room_no);
    if (room === undefined) continue;
    const before = replaced.get(row.event_no);
    const view: EventView = {
      now: session.now,
      withRoomId,
      membership: membershipAfter(session, row),
      transactionId: row.txn_id ?? undefined,
      replacesState: before?.event_id,
      prevContent:
        before !== undefined && readable.has(before.event_no) ? eventContentJson(storedEvent(before, room)) : undefined,
      relations: aggregations.get(row.event_no),
    };
    given.set(row.event_no, clientEventJson(givenEvent(row, room, hidden), view));
  }
  return given;
}

function givenEvent(row: TimelineRow, room: Standing, hidden: GiveOptions['hidden']): StoredEvent {
  const event = storedEvent(row, room);
  const isHidden = event.redaction === undefined && hidden?.(row) === true;
  return isHidden ? { ...event, redaction: { rules: room.rules } } : event;
}

/** State events as JSON text, without what only timelines have. */
export function giveStateEvents(
  session: Session,
  rows: readonly TimelineRow[],
  standings: Standings,
  withRoomId: boolean,
): Map<number, string> {
  const given = new Map<number, string>();
  for (const row of rows) {
    const room = standings.get(row.room_no);
    if (room !== undefined)
      given.set(row.event_no, clientEventJson(storedEvent(row, room), { now: session.now, withRoomId }));
  }
  return given;
}

/** The state event that each state event among the rows replaced, by the number of the newer one. */
async function replacedEvents(session: Session, rows: readonly TimelineRow[]): Promise<Map<number, TimelineRow>> {
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
  const events = await selectEventsByNo(session.db, [...new Set(replaced.values())]);
  const byNo = new Map(events.map((row) => [row.event_no, row]));
  return mapValues(replaced, (eventNo) => byNo.get(eventNo));
}

function keyNo(row: TimelineRow): number | undefined {
  return row.state_key_no ?? undefined;
}

async function membersBefore(session: Session, changes: readonly TimelineRow[]): Promise<Map<number, number>> {
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

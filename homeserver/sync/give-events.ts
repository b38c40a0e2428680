import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { bundleAggregations } from './aggregations.ts';
import { clientEventJson, eventContentJson, withUnsigned } from './client-event.ts';
import type { EventView } from './client-event.ts';
import { replacedEvents } from './replaced-events.ts';
import type { Session } from './session.ts';
import { isShared, plainText } from './shared-row.ts';
import type { Standing } from './standing.ts';
import { ownTransaction, storedEvent } from './stored-event.ts';
import { filterReadable, membershipAfter } from './visibility.ts';
import type { Standings } from './visibility.ts';

export interface GiveOptions {
  readonly withRoomId: boolean;
  /** Which events get their bundled aggregations; all when absent. */
  readonly bundled?: (row: TimelineRow) => boolean;
  /** Which events are given as if they were redacted; none when absent. */
  readonly hidden?: (row: TimelineRow) => boolean;
  readonly federationFormat?: boolean;
}

/** Timeline events as JSON text with all that `unsigned` has for the reader: event number -> text. Rows must be visible. */
export async function giveTimelineEvents(
  session: Session,
  rows: readonly TimelineRow[],
  standings: Standings,
  options: GiveOptions,
): Promise<Map<number, string>> {
  const { withRoomId, bundled, hidden, federationFormat } = options;
  const parents = bundled === undefined ? rows : rows.filter(bundled);
  const [replaced, aggregations] = await Promise.all([
    replacedOf(session, rows),
    bundleAggregations({ session, standings, withRoomId }, parents),
  ]);
  const readable = new Set(
    (await filterReadable(session, [...replaced.values()], standings)).map((row) => row.event_no),
  );
  const prevContentOf = (before: TimelineRow | undefined, room: Standing) =>
    before !== undefined && readable.has(before.event_no) ? eventContentJson(storedEvent(before, room)) : undefined;
  const isUsual = hidden === undefined && federationFormat !== true;
  const given = new Map<number, string>();
  for (const row of rows) {
    const room = standings.get(row.room_no);
    if (room === undefined) continue;
    const plain = { now: session.now, withRoomId, federationFormat, membership: membershipAfter(session, row) };
    const before = replaced.get(row.event_no);
    const own = { transactionId: ownTransaction(session, row), relations: aggregations.get(row.event_no) };
    if (isUsual && isPlain(own, before) && isShared(row)) {
      given.set(row.event_no, plainText(row, room, plain));
      continue;
    }
    const view = { ...plain, ...own, replacesState: before?.event_id, prevContent: prevContentOf(before, room) };
    given.set(row.event_no, givenJson(row, room, view, hidden));
  }
  return given;
}

/** Whether nothing but the membership is the reader's own. */
function isPlain(own: Pick<EventView, 'transactionId' | 'relations'>, before: TimelineRow | undefined): boolean {
  return own.transactionId === undefined && own.relations === undefined && before === undefined;
}

function givenJson(row: TimelineRow, room: Standing, view: EventView, hidden: GiveOptions['hidden']): string {
  const event = storedEvent(row, room);
  if (event.redaction === undefined && hidden?.(row) === true)
    return clientEventJson({ ...event, redaction: { rules: room.rules } }, view);
  return isShared(row) && view.federationFormat !== true
    ? withUnsigned(row.head, event, view)
    : clientEventJson(event, view);
}

/** What the state events among the rows replaced; the rows that readers share know it. */
async function replacedOf(session: Session, rows: readonly TimelineRow[]): Promise<Map<number, TimelineRow>> {
  const replaced = await replacedEvents(
    session,
    rows.filter((row) => !isShared(row)),
  );
  for (const row of rows) if (isShared(row) && row.replaced !== undefined) replaced.set(row.event_no, row.replaced);
  return replaced;
}

/** State events as JSON text, without what only timelines have. */
export function giveStateEvents(
  session: Session,
  rows: readonly TimelineRow[],
  standings: Standings,
  options: Pick<GiveOptions, 'withRoomId' | 'federationFormat'>,
): Map<number, string> {
  const given = new Map<number, string>();
  for (const row of rows) {
    const room = standings.get(row.room_no);
    if (room !== undefined) given.set(row.event_no, givenJson(row, room, { now: session.now, ...options }, undefined));
  }
  return given;
}

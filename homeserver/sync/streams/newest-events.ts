import { selectNewest } from '../../storage/sync-reads/select-timeline.ts';
import type { TimelineRange, TimelineRow } from '../../storage/sync-reads/select-timeline.ts';
import { replacedEvents } from '../replaced-events.ts';
import type { Session } from '../session.ts';
import { sharedRow, weightOf } from '../shared-row.ts';
import type { Standings } from '../visibility.ts';

/** A stretch of a room's timeline of which the newest events are wanted. */
export interface NewestRange extends TimelineRange {
  /** Position of the room's newest event, read before; without it the events are read anew. */
  readonly lastPosition: number | undefined;
}

export interface NewestOptions {
  /** Most events of each range. */
  readonly limit: number;
  /** Include fetched history. */
  readonly history: boolean;
}

/** Events of one page, newest first: the same for all who read it as long as nothing happens in the room. */
export type TimelinePage = readonly TimelineRow[];

/**
 * The newest events of each range, newest first, those of a room together. What somebody has read since the room's newest event is
 * taken from memory; the rest is read in one statement.
 */
export async function readNewest(
  session: Session,
  ranges: readonly NewestRange[],
  options: NewestOptions,
  standings: Standings,
): Promise<TimelineRow[]> {
  const { pages } = session.ctx.sync;
  const { generation } = pages;
  const keys = new Map(ranges.map((range) => [range, keyOf(range, options)]));
  const known = new Map<NewestRange, TimelinePage | undefined>();
  for (const [range, key] of keys) known.set(range, key === undefined ? undefined : pages.get(key));
  const missing = ranges.filter((range) => known.get(range) === undefined);
  if (missing.length === 0) return ranges.flatMap((range) => known.get(range) ?? []);
  const read = (asked: readonly NewestRange[]) => readPages(session, asked, { keys, options, standings });
  const named = missing.flatMap((range) => keys.get(range) ?? []);
  const [shared, own] = await Promise.all([
    pages.readOnce(named, async (wanted) => {
      const found = await read(missing.filter((range) => wanted.has(keys.get(range) ?? '')));
      const kept = [...found].map(([range, page]): [string, TimelinePage] => [keys.get(range) ?? '', page]);
      for (const [key, page] of kept) pages.set(key, { value: page, bytes: bytesOf(page) }, generation);
      return new Map(kept);
    }),
    read(missing.filter((range) => keys.get(range) === undefined)),
  ]);
  return ranges.flatMap((range) => known.get(range) ?? own.get(range) ?? shared.get(keys.get(range) ?? '') ?? []);
}

interface Paging {
  /** Under which a page is kept; undefined: it is not. */
  readonly keys: ReadonlyMap<NewestRange, string | undefined>;
  readonly options: NewestOptions;
  readonly standings: Standings;
}

async function readPages(
  session: Session,
  ranges: readonly NewestRange[],
  { keys, options, standings }: Paging,
): Promise<Map<NewestRange, TimelinePage>> {
  if (ranges.length === 0) return new Map();
  const rows = await selectNewest(session.db, ranges, options);
  const kept = new Set(ranges.filter((range) => keys.get(range) !== undefined).map((range) => range.roomNo));
  const byRoom = Map.groupBy(await share(session, rows, kept, standings), (row) => row.room_no);
  return new Map(ranges.map((range) => [range, byRoom.get(range.roomNo) ?? []]));
}

function keyOf(range: NewestRange, { limit, history }: NewestOptions): string | undefined {
  const { roomNo, lastPosition, lowAnchor, lowPosition, highAnchor, highPosition } = range;
  if (lastPosition === undefined) return undefined;
  const isToEnd = highAnchor > lastPosition || (highAnchor === lastPosition && highPosition >= lastPosition);
  const high = isToEnd ? 'end' : `${highAnchor}_${highPosition}`;
  return `${roomNo}/${lastPosition}/${lowAnchor}_${lowPosition}/${high}/${limit}${history ? 'h' : ''}`;
}

/** With what is the same for all readers, for the rooms whose events are kept. */
async function share(
  session: Session,
  rows: readonly TimelineRow[],
  kept: ReadonlySet<number>,
  standings: Standings,
): Promise<TimelineRow[]> {
  const replaced = await replacedEvents(
    session,
    rows.filter((row) => kept.has(row.room_no)),
  );
  return rows.map((row) => {
    const room = standings.get(row.room_no);
    return room === undefined || !kept.has(row.room_no) ? row : sharedRow(row, room, replaced.get(row.event_no));
  });
}

function bytesOf(page: TimelinePage): number {
  return page.reduce((sum, row) => sum + weightOf(row), 0);
}

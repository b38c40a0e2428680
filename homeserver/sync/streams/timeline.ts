import type { TimelineRow } from '../../storage/sync-reads/select-timeline.ts';
import type { EventMatcher } from '../event-matcher.ts';
import { pointBefore } from '../position.ts';
import type { TimelinePoint } from '../position.ts';
import type { Session } from '../session.ts';
import { readNewest } from './newest-events.ts';
import type { NewestRange } from './newest-events.ts';
import { filteredEvent } from '../stored-event.ts';
import { filterVisible } from '../visibility.ts';
import type { Standings } from '../visibility.ts';

/** A stretch of one room's timeline, as much of its newest end as the limit allows. */
export interface TimelineWindow {
  /** Events for the reader, oldest first. */
  readonly events: readonly TimelineRow[];
  /** There is more after `low` than is given. */
  readonly limited: boolean;
  /** Right before the oldest event that was looked at. */
  readonly start: TimelinePoint;
  /** Every event after `start`, those included that the reader may not see or does not want; oldest first. */
  readonly scanned: readonly TimelineRow[];
}

export interface WindowRange {
  readonly roomNo: number;
  readonly low: TimelinePoint;
  readonly high: TimelinePoint;
  /** Position of the room's newest event, if it has been read: then what others have read since is used again. */
  readonly lastPosition?: number | undefined;
}

export interface WindowOptions {
  readonly limit: number;
  readonly matcher: EventMatcher;
  readonly standings: Standings;
  /** Leaves out events that are not for the reader for other reasons (ignored senders). */
  readonly wanted?: (row: TimelineRow) => boolean;
  /** Include fetched history. */
  readonly history: boolean;
}

/** Rounds of looking further back for events that pass the filter; each looks at four times as many as the one before. */
const MAX_ROUNDS = 4;
const MAX_CHUNK = 1000;
const MIN_CHUNK = 2;

/** Rows of one round, all rooms together, about 1 kB each: a filter that nothing passes must not load whole histories. */
const MAX_FIRST_ROWS = 20_000;
const MAX_FURTHER_ROWS = 5000;

interface Search {
  readonly range: WindowRange;
  readonly accepted: TimelineRow[];
  readonly scanned: TimelineRow[];
  isDone: boolean;
  limited: boolean;
}

/** The newest events of several rooms, all rooms together in one query a round (one round when nothing is filtered out). */
export async function readWindows(
  session: Session,
  ranges: readonly WindowRange[],
  options: WindowOptions,
): Promise<Map<number, TimelineWindow>> {
  const searches = new Map(ranges.map((range) => [range.roomNo, newSearch(range)]));
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const open = [...searches.values()].filter((search) => !search.isDone);
    if (open.length === 0) break;
    await lookFurther(session, open, chunkOf(round, options.limit, open.length), options);
  }
  return new Map([...searches].map(([roomNo, search]) => [roomNo, finish(search, options.limit)]));
}

/** How many events of each room a round looks at. */
function chunkOf(round: number, limit: number, rooms: number): number {
  const wanted = Math.min((limit + 1) * 4 ** round, Math.max(MAX_CHUNK, limit + 1));
  const share = Math.floor((round === 0 ? MAX_FIRST_ROWS : MAX_FURTHER_ROWS) / rooms);
  return Math.min(wanted, Math.max(share, MIN_CHUNK));
}

function newSearch(range: WindowRange): Search {
  return { range, accepted: [], scanned: [], isDone: false, limited: true };
}

async function lookFurther(
  session: Session,
  open: readonly Search[],
  chunk: number,
  options: WindowOptions,
): Promise<void> {
  const page = { limit: chunk, history: options.history };
  const rows = await readNewest(session, open.map(rangeOf), page, options.standings);
  const visible = new Set(await filterVisible(session, rows, options.standings));
  const byRoom = Map.groupBy(rows, (row) => row.room_no);
  for (const search of open) {
    const found = byRoom.get(search.range.roomNo) ?? [];
    search.scanned.push(...found);
    search.accepted.push(...found.filter((row) => visible.has(row) && isWanted(row, options)));
    const exhausted = found.length < chunk;
    search.isDone = exhausted || search.accepted.length >= options.limit;
    search.limited = !exhausted || search.accepted.length > options.limit;
  }
}

/** Whether the reader wants an event that they may see. */
export function isWanted(row: TimelineRow, options: WindowOptions): boolean {
  if (options.wanted?.(row) === false) return false;
  return options.matcher.all || options.matcher.matches(filteredEvent(row));
}

function rangeOf(search: Search): NewestRange {
  const { roomNo, low, high, lastPosition } = search.range;
  const oldest = search.scanned.at(-1);
  const top = oldest === undefined ? high : pointBefore(oldest);
  return {
    roomNo,
    lastPosition,
    lowAnchor: low.anchor,
    lowPosition: low.position,
    highAnchor: top.anchor,
    highPosition: top.position,
  };
}

/** Cuts at the limit: what is older than the oldest event given is not part of the window. */
function finish(search: Search, limit: number): TimelineWindow {
  const events = search.accepted.slice(0, limit);
  const isFull = search.accepted.length >= limit;
  const cut = isFull ? events.at(-1) : undefined;
  const scanned = isFull ? upTo(search.scanned, cut) : search.scanned;
  const oldest = scanned.at(-1);
  const older = search.scanned.length > scanned.length;
  return {
    events: events.toReversed(),
    limited: search.limited || older,
    start: oldest === undefined ? startOfEmpty(search) : pointBefore(oldest),
    scanned: scanned.toReversed(),
  };
}

function upTo(scanned: readonly TimelineRow[], last: TimelineRow | undefined): readonly TimelineRow[] {
  return last === undefined ? [] : scanned.slice(0, scanned.indexOf(last) + 1);
}

/** Nothing is given: with a limit of 0 the window begins at its end, in an empty range at its beginning. */
function startOfEmpty(search: Search): TimelinePoint {
  return search.scanned.length > 0 ? search.range.high : search.range.low;
}

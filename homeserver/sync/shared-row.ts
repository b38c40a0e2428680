import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { eventHeadJson } from './client-event.ts';
import type { Standing } from './standing.ts';
import { storedEvent } from './stored-event.ts';

/** An event with what is the same for all who read it. */
export interface SharedRow extends TimelineRow {
  /** The event's text for clients up to its id; see `eventHeadJson`. */
  readonly head: string;
  /** The state event that it replaced. */
  readonly replaced: TimelineRow | undefined;
}

export function isShared(row: TimelineRow): row is SharedRow {
  return 'head' in row;
}

/** Makes what readers share of an event; `replaced` must have been looked up. */
export function sharedRow(
  row: TimelineRow,
  room: Pick<Standing, 'roomId' | 'rules'>,
  replaced: TimelineRow | undefined,
): SharedRow {
  return { ...row, head: flat(eventHeadJson(storedEvent(row, room))), replaced };
}

/** About the bytes of memory that it takes. */
export function weightOf(row: TimelineRow): number {
  const own = 400 + row.json.length + (row.because_json?.length ?? 0);
  return isShared(row) ? own + row.head.length + (row.replaced === undefined ? 0 : weightOf(row.replaced)) : own;
}

/** A text put together of parts holds on to all that the parts were cut from, until it is written out as one. */
export function flat(text: string): string {
  return Buffer.from(text).toString();
}

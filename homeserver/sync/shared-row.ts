import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { eventHeadJson, withUnsigned } from './client-event.ts';
import type { EventView } from './client-event.ts';
import type { Standing } from './standing.ts';
import { storedEvent } from './stored-event.ts';

/** An event with what is the same for all who read it. */
export interface SharedRow extends TimelineRow {
  /** The event's text for clients up to its id; see `eventHeadJson`. */
  readonly head: string;
  /** The state event that it replaced. */
  readonly replaced: TimelineRow | undefined;
  /** The texts that readers were given last: with the room's id, and without. */
  readonly given: { inRoom?: GivenText; apart?: GivenText };
}

/** A text with what it depends on beside the event. */
interface GivenText {
  readonly madeAt: number;
  readonly membership: string | undefined;
  readonly text: string;
}

/** How old the ages in an answer may be that is given again, ms. */
const FRESH_MS = 1000;

export function isShared(row: TimelineRow): row is SharedRow {
  return 'head' in row;
}

/** Makes what readers share of an event; `replaced` must have been looked up. */
export function sharedRow(
  row: TimelineRow,
  room: Pick<Standing, 'roomId' | 'rules'>,
  replaced: TimelineRow | undefined,
): SharedRow {
  return { ...row, head: flat(eventHeadJson(storedEvent(row, room))), replaced, given: {} };
}

/** What a reader is told of an event of which nothing but their membership is their own. */
export type PlainView = Pick<EventView, 'now' | 'withRoomId' | 'membership'>;

/** The text of an event for such a reader; one that somebody was given within a second is given again. */
export function plainText(row: SharedRow, room: Pick<Standing, 'roomId' | 'rules'>, view: PlainView): string {
  const { now, withRoomId, membership } = view;
  const known = withRoomId ? row.given.inRoom : row.given.apart;
  if (known?.membership === membership && known !== undefined && isFresh(known.madeAt, now)) return known.text;
  const made = { madeAt: now, membership, text: withUnsigned(row.head, storedEvent(row, room), view) };
  if (withRoomId) row.given.inRoom = made;
  else row.given.apart = made;
  return made.text;
}

/** Whether what was made then may be given now. */
export function isFresh(madeAt: number, now: number): boolean {
  return now >= madeAt && now - madeAt <= FRESH_MS;
}

/** About the bytes of memory that it takes. */
export function weightOf(row: TimelineRow): number {
  const own = 900 + heldBytes(row.json) + heldBytes(row.because_json ?? '');
  return isShared(row) ? own + heldBytes(row.head) + (row.replaced === undefined ? 0 : weightOf(row.replaced)) : own;
}

/** What a text takes in memory: two bytes for each of its characters as soon as one of them needs them. */
export function heldBytes(text: string): number {
  // Latin letters with accents are counted as if they did: to tell them apart would cost more than it is worth.
  return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length;
}

/** A text put together of parts holds on to all that the parts were cut from, until it is written out as one. */
export function flat(text: string): string {
  return Buffer.from(text).toString();
}

import { isJsonObject, ownString, type JsonObject } from '../../room/json-value.ts';
import { parseLooseJson } from '../../room/strict-json.ts';
import type { MembershipRow } from '../../storage/sync-reads/select-changes.ts';
import type { TimelineRow } from '../../storage/sync-reads/select-timeline.ts';
import type { UncountedEvent } from '../../storage/sync-reads/select-unread.ts';
import { jsonMembers } from '../json-members.ts';
import type { TimelinePoint } from '../position.ts';
import type { RememberedUnread } from '../unread-memory.ts';
import type { TimelineWindow } from './timeline.ts';
import { CountableEvents } from '../countable-events.ts';
import type { CountableRow } from '../countable-events.ts';

/** A room that an answer speaks of. */
export interface ToldRoom {
  readonly row: MembershipRow;
  /** The window lies after it; without a gap it begins there. */
  readonly low: TimelinePoint;
  readonly window: TimelineWindow;
}

/** What this replica has counted before, and what makes it void. */
export interface RememberedRoom {
  readonly before: RememberedUnread | undefined;
  /** Position of the newest change of the push rules or the ignored users. */
  readonly changedAt: number;
  /** Number of the type m.room.redaction. */
  readonly redaction: number;
}

/**
 * What there is to count in a room, from the events that the answer has read anyway. Undefined when that is not enough: nothing is
 * remembered that still holds, there is a gap, or an event that needs a look at others.
 */
export function unreadInWindow({ row, low, window }: ToldRoom, remembered: RememberedRoom): CountableRow | undefined {
  const { before, changedAt, redaction } = remembered;
  if (before === undefined || before.countedTo < Math.max(row.reads_position, changedAt)) return undefined;
  if ((window.limited ? window.start : low).anchor > before.countedTo) return undefined;
  const rows = window.scanned.filter((event) => event.position > before.countedTo);
  if (rows.some((event) => event.type_no === redaction)) return undefined;
  const events = countable(rows);
  if (events === undefined) return undefined;
  const { room_no, room_id, version, joined, last_position, event_no, position } = row;
  const from = before.countedTo;
  const counted = { marks: {}, counted_to: from, counts: null, uncounted_from: from };
  const room = { room_no, room_id, version, joined, last_position, event_no, position };
  return { ...room, ...counted, events };
}

/** Events in a row, sorted; undefined where one needs a look at others. */
interface Sorted {
  readonly last: TimelineRow | undefined;
  readonly count: number;
  readonly events: CountableEvents | undefined;
}

/** By the first of them: readers who are told of the same events share their rows. */
const sorted = new WeakMap<TimelineRow, Sorted>();

function countable(rows: readonly TimelineRow[]): CountableEvents | undefined {
  const [first] = rows;
  if (first === undefined) return new CountableEvents([]);
  const before = sorted.get(first);
  if (before?.count === rows.length && before.last === rows.at(-1)) return before.events;
  const known = rows.flatMap((row) => {
    const event = uncounted(row);
    return event === undefined ? [] : [event];
  });
  const events = known.length < rows.length ? undefined : new CountableEvents(known);
  sorted.set(first, { last: rows.at(-1), count: rows.length, events });
  return events;
}

function uncounted(row: TimelineRow): UncountedEvent | undefined {
  const thread = threadOf(row);
  if (thread === undefined) return undefined;
  return [row.event_no, row.anchor, row.sender_no, row.type_no, row.flags, thread, row.because_id !== null];
}

/** Undefined for an event that is in the thread of what it relates to. */
function threadOf({ json }: TimelineRow): string | undefined {
  const relation = jsonMembers(jsonMembers(json).get('content') ?? '{}').get('m.relates_to');
  if (relation === undefined) return 'main';
  const parsed = parseLooseJson(relation);
  return parsed.ok && isJsonObject(parsed.value) ? threadIn(parsed.value) : 'main';
}

function threadIn(relation: JsonObject): string | undefined {
  const eventId = ownString(relation, 'event_id');
  const type = ownString(relation, 'rel_type');
  if (type === undefined || eventId === undefined) return 'main';
  return type === 'm.thread' ? eventId : undefined;
}

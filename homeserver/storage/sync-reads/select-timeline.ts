import type { Queryable } from '../database.ts';

/** An event of a timeline, with the redaction that holds for it. */
export interface TimelineRow {
  room_no: number;
  event_no: number;
  anchor: number;
  position: number;
  sender_no: number;
  type_no: number;
  state_key_no: number | null;
  state_before: number;
  state_after: number;
  ts: number;
  flags: number;
  event_id: string;
  json: string;
  /** The m.room.redaction event, when the event is redacted. */
  because_id: string | null;
  because_json: string | null;
  because_ts: number | null;
  /** Transaction id with which a device of this server sent it, and that device: nobody else is told the id. */
  txn_id: string | null;
  txn_device: number | null;
  /** Whether some event names it as what it relates to; always false where aggregations are not given. */
  related: boolean;
}

/** A stretch of a room's timeline: after `low`, up to and including `high`. */
export interface TimelineRange {
  roomNo: number;
  lowAnchor: number;
  lowPosition: number;
  highAnchor: number;
  highPosition: number;
}

// One index range per room on events_timeline. 20 rooms: 0.2 ms, 500 rooms of 20 events: 13 ms (storage.md section 6).
const NEWEST = `
select e.*, b.event_id as because_id, b.json as because_json, b.ts as because_ts, t.txn_id, t.device_no as txn_device,
  exists (select 1 from event_relations c where c.parent_id = e.event_id) as related
from unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[]) as w(room_no, low_a, low_p, high_a, high_p)
cross join lateral (
  select room_no, event_no, anchor, position, sender_no, type_no, state_key_no, state_before, state_after, ts, flags, event_id, json
  from events
  where room_no = w.room_no and (anchor, position) > (w.low_a, w.low_p) and (anchor, position) <= (w.high_a, w.high_p)
    and ($7 or position > 0)
  order by anchor desc, position desc limit $6
) e
left join redactions x on x.redacted_event_id = e.event_id
left join events b on b.event_no = x.event_no
left join transactions t on t.event_no = e.event_no
order by e.room_no, e.anchor desc, e.position desc`;

export interface PageOptions {
  /** Most events of each range. */
  limit: number;
  /** Device whose transaction ids are wanted. */
  deviceNo: number;
}

/** The newest events of each range, newest first; with fetched history only when `history` is set. The same for every reader. */
export function selectNewest(
  db: Queryable,
  ranges: readonly TimelineRange[],
  { limit, history }: { limit: number; history: boolean },
): Promise<TimelineRow[]> {
  const values = [...columns(ranges), limit, history];
  return db.query({ name: 'events_select_newest', text: NEWEST, values });
}

const OLDEST = `
select e.*, b.event_id as because_id, b.json as because_json, b.ts as because_ts, t.txn_id, t.device_no as txn_device,
  exists (select 1 from event_relations c where c.parent_id = e.event_id) as related
from unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[]) as w(room_no, low_a, low_p, high_a, high_p)
cross join lateral (
  select room_no, event_no, anchor, position, sender_no, type_no, state_key_no, state_before, state_after, ts, flags, event_id, json
  from events
  where room_no = w.room_no and (anchor, position) > (w.low_a, w.low_p) and (anchor, position) <= (w.high_a, w.high_p)
  order by anchor, position limit $6
) e
left join redactions x on x.redacted_event_id = e.event_id
left join events b on b.event_no = x.event_no
left join transactions t on t.event_no = e.event_no and t.device_no = $7
order by e.room_no, e.anchor, e.position`;

/** The oldest events of each range, oldest first, fetched history included. */
export function selectOldest(
  db: Queryable,
  ranges: readonly TimelineRange[],
  { limit, deviceNo }: PageOptions,
): Promise<TimelineRow[]> {
  return db.query({ name: 'events_select_oldest', text: OLDEST, values: [...columns(ranges), limit, deviceNo] });
}

const BY_ID = `
select e.room_no, e.event_no, e.anchor, e.position, e.sender_no, e.type_no, e.state_key_no, e.state_before, e.state_after, e.ts, e.flags,
  e.event_id, e.json, b.event_id as because_id, b.json as because_json, b.ts as because_ts, t.txn_id, t.device_no as txn_device,
  exists (select 1 from event_relations c where c.parent_id = e.event_id) as related
from events e
left join redactions x on x.redacted_event_id = e.event_id
left join events b on b.event_no = x.event_no
left join transactions t on t.event_no = e.event_no and t.device_no = $3
where e.event_id = any($1::text[]) and e.room_no = $2 and e.anchor is not null`;

/** Events of the room's timeline, in no order; rejected, soft-failed and outlying ones are in none. */
export function selectTimelineEvents(
  db: Queryable,
  events: { eventIds: readonly string[]; roomNo: number },
  deviceNo: number,
): Promise<TimelineRow[]> {
  const values = [events.eventIds, events.roomNo, deviceNo];
  return db.query({ name: 'events_select_timeline_events', text: BY_ID, values });
}

/** An event of the room's timeline; rejected, soft-failed and outlying ones are in none. */
export async function selectTimelineEvent(
  db: Queryable,
  event: { eventId: string; roomNo: number },
  deviceNo: number,
): Promise<TimelineRow | undefined> {
  const { eventId, roomNo } = event;
  return (await selectTimelineEvents(db, { eventIds: [eventId], roomNo }, deviceNo))[0];
}

const ROOM_OF = `
select r.room_id from events e join rooms r on r.room_no = e.room_no where e.event_id = $1 and e.anchor is not null`;

/** The id of the room in whose timeline an event is. */
export async function selectRoomOfEvent(db: Queryable, eventId: string): Promise<string | undefined> {
  const rows = await db.query<{ room_id: string }>({
    name: 'events_select_room_id',
    text: ROOM_OF,
    values: [eventId],
  });
  return rows[0]?.room_id;
}

const TIMELINE_BY_NO = `
select e.room_no, e.event_no, e.anchor, e.position, e.sender_no, e.type_no, e.state_key_no, e.state_before, e.state_after, e.ts, e.flags,
  e.event_id, e.json, b.event_id as because_id, b.json as because_json, b.ts as because_ts, t.txn_id, t.device_no as txn_device,
  exists (select 1 from event_relations c where c.parent_id = e.event_id) as related
from events e
left join redactions x on x.redacted_event_id = e.event_id
left join events b on b.event_no = x.event_no
left join transactions t on t.event_no = e.event_no and t.device_no = $2
where e.event_no = any($1::int8[]) and e.anchor is not null`;

/** Events of timelines by their numbers, in no order. */
export function selectTimelineEventsByNo(
  db: Queryable,
  eventNos: readonly number[],
  deviceNo: number,
): Promise<TimelineRow[]> {
  return db.query({ name: 'events_select_timeline_by_no', text: TIMELINE_BY_NO, values: [eventNos, deviceNo] });
}

const BY_NO = `
select e.room_no, e.event_no, coalesce(e.anchor, 0) as anchor, coalesce(e.position, 0) as position, e.sender_no,
  e.type_no, e.state_key_no, e.state_before, e.state_after, e.ts, e.flags, e.event_id, e.json,
  b.event_id as because_id, b.json as because_json, b.ts as because_ts, null as txn_id, null as txn_device, false as related
from events e
left join redactions x on x.redacted_event_id = e.event_id
left join events b on b.event_no = x.event_no
where e.event_no = any($1::int8[])`;

/** Events by their numbers, in no order. */
export function selectEventsByNo(db: Queryable, eventNos: readonly number[]): Promise<TimelineRow[]> {
  return db.query({ name: 'events_select_by_no', text: BY_NO, values: [eventNos] });
}

const JSON_BY_NO = 'select event_no, json from events where event_no = any($1::int8[])';

/** Only the texts of events by their numbers, in no order. */
export function selectEventTextsByNo(
  db: Queryable,
  eventNos: readonly number[],
): Promise<Pick<TimelineRow, 'event_no' | 'json'>[]> {
  return db.query({ name: 'events_select_texts_by_no', text: JSON_BY_NO, values: [eventNos] });
}

function columns(ranges: readonly TimelineRange[]): number[][] {
  return [
    ranges.map((range) => range.roomNo),
    ranges.map((range) => range.lowAnchor),
    ranges.map((range) => range.lowPosition),
    ranges.map((range) => range.highAnchor),
    ranges.map((range) => range.highPosition),
  ];
}

import type { Queryable } from '../database.ts';
import type { TimelineRow } from './select-timeline.ts';

export interface TimeRange {
  roomNo: number;
  /** Unix ms. */
  ts: number;
  /** So many events at that end of the range are passed over. */
  skip: number;
  limit: number;
}

const AFTER = `
select e.room_no, e.event_no, e.anchor, e.position, e.sender_no, e.type_no, e.state_key_no, e.state_before, e.state_after, e.ts,
  e.flags, e.event_id, e.json, null as because_id, null as because_json, null as because_ts, null as txn_id, null as txn_device, false as related
from events e where e.room_no = $1 and e.ts >= $2 and e.anchor is not null
order by e.ts, e.anchor, e.position offset $3 limit $4`;

const BEFORE = `
select e.room_no, e.event_no, e.anchor, e.position, e.sender_no, e.type_no, e.state_key_no, e.state_before, e.state_after, e.ts,
  e.flags, e.event_id, e.json, null as because_id, null as because_json, null as because_ts, null as txn_id, null as txn_device, false as related
from events e where e.room_no = $1 and e.ts <= $2 and e.anchor is not null
order by e.ts desc, e.anchor desc, e.position desc offset $3 limit $4`;

/** Events of a room at or after a time, or with `backwards` at or before it, the nearest first. */
export function selectByTime(db: Queryable, range: TimeRange, backwards: boolean): Promise<TimelineRow[]> {
  const values = [range.roomNo, range.ts, range.skip, range.limit];
  const statement = backwards
    ? { name: 'events_select_before_time', text: BEFORE }
    : { name: 'events_select_after_time', text: AFTER };
  return db.query({ ...statement, values });
}

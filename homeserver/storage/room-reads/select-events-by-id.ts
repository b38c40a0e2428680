import type { Queryable } from '../database.ts';

/** An event as receiving others looks at it. */
export interface KnownEventRow {
  event_no: number;
  room_no: number;
  event_id: string;
  json: string;
  /** Bits of `EVENT_FLAGS`. */
  flags: number;
  /** 0 for an outlier. */
  state_after: number;
  /** Null for an event that is in no timeline. */
  position: number | null;
}

const TEXT = `
select event_no, room_no, event_id, json, flags, state_after, position from events where event_id = any($1::text[])`;

/** Those of the events that we have, of whatever room, in no order. */
export function selectEventsById(db: Queryable, eventIds: readonly string[]): Promise<KnownEventRow[]> {
  return db.query({ name: 'events_select_by_id', text: TEXT, values: [eventIds] });
}

const BY_NO = `
select event_no, room_no, event_id, json, flags, state_after, position from events where event_no = any($1::int8[])`;

export function selectKnownEventsByNo(db: Queryable, eventNos: readonly number[]): Promise<KnownEventRow[]> {
  return db.query({ name: 'events_select_known_by_no', text: BY_NO, values: [eventNos] });
}

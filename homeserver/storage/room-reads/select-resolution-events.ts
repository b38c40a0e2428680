import type { Queryable } from '../database.ts';

/** An event as a resolution reads it. */
export interface ResolutionEventRow {
  event_no: number;
  event_id: string;
  json: string;
  /** Bits of `EVENT_FLAGS`. */
  flags: number;
}

// The events, those they name as auth events, and the power levels that each of these built on, back to the first.
const TEXT = `
with recursive wanted(event_no) as (
  select w.event_no from unnest($1::int8[]) w (event_no)
  union
  select a.event_no from unnest($1::int8[]) w (event_no)
  join event_auth e on e.event_no = w.event_no cross join unnest(e.auth) a (event_no)
), mainline(event_no) as (
  select w.event_no from wanted w join events e on e.event_no = w.event_no where e.state_key_no = $2
  union
  select a.event_no from mainline m join event_auth e on e.event_no = m.event_no cross join unnest(e.auth) a (event_no)
  join events p on p.event_no = a.event_no and p.state_key_no = $2
)
select e.event_no, e.event_id, e.json, e.flags
from (select event_no from wanted union select event_no from mainline) w join events e on e.event_no = w.event_no
limit $3`;

/**
 * What resolving these events looks at: they, their auth events and the line of power levels behind them, at most `limit`.
 * `powerLevelsNo`: number of the state key of m.room.power_levels.
 */
export function selectResolutionEvents(
  db: Queryable,
  wanted: { eventNos: readonly number[]; powerLevelsNo: number },
  limit: number,
): Promise<ResolutionEventRow[]> {
  return db.query({
    name: 'events_select_for_resolution',
    text: TEXT,
    values: [wanted.eventNos, wanted.powerLevelsNo, limit],
  });
}

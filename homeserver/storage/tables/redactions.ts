/**
 * redactions: a row is an event that is redacted, by the first redaction of it that holds. Written by the batch function with that;
 * read by whatever gives events; a leased job notes when the stored event was cut. Grows by a row a redaction; deleted with the room.
 */
import type { Queryable } from '../database.ts';

const PAGE = `
select max(p.redacted_event_id) as last, count(*)::int4 as count,
  coalesce(array_agg(p.redacted_event_id order by p.redacted_event_id) filter (where p.applied_at is null), '{}') as open
from (
  select redacted_event_id, applied_at from redactions where redacted_event_id > $1 order by redacted_event_id limit $2
) p`;

/** A stretch of the redacted events by their ids. */
export interface RedactionPage {
  /** Id of its last one; null when there is none. */
  readonly last: string | null;
  readonly count: number;
  /** Ids of those that are stored as they came, or not at all. */
  readonly open: readonly string[];
}

/** The redacted events after an id, at most `limit`. */
export async function selectRedactionPage(db: Queryable, after: string, limit: number): Promise<RedactionPage> {
  const [row] = await db.query<{ last: string | null; count: number; open: string[] }>({
    name: 'redactions_select_page',
    text: PAGE,
    values: [after, limit],
  });
  return row ?? { last: null, count: 0, open: [] };
}

// What the search index has not passed may have its words there still. An outlier (flag 1) is stored anew when it gets its place. The
// redaction of an event that was not known yet may turn out to be one of another room, and is none then.
const DUE = `
select e.event_no, e.json, r.version
from unnest($1::text[]) w (event_id)
join redactions d on d.redacted_event_id = w.event_id
join events e on e.event_id = d.redacted_event_id
join events b on b.event_no = d.event_no
join rooms r on r.room_no = e.room_no
where d.applied_at is null and e.flags & 1 = 0 and b.room_no = e.room_no
  and b.position <= (select position from search_progress)
  and b.ts <= (extract(epoch from clock_timestamp()) * 1000)::int8 - $2::int8`;

/** A redacted event that is stored as it came. */
export interface DueRow {
  readonly event_no: number;
  readonly json: string;
  /** Version of its room. */
  readonly version: number;
}

/** Those of the events whose redaction was sent more than `ageMs` ago, in no order. */
export function selectDueForCutting(db: Queryable, eventIds: readonly string[], ageMs: number): Promise<DueRow[]> {
  return db.query<DueRow>({ name: 'redactions_select_due', text: DUE, values: [eventIds, ageMs] });
}

// The text of an event must not change while the search index has it, and the key of a reaction is content, too. What the event relates
// to stays: it says to which thread its writer had come.
const CUT = `
with given as (
  select * from unnest($1::int8[], $2::text[]) g (event_no, json)
), cut as (
  update events e set json = g.json from given g where e.event_no = g.event_no and e.json <> g.json returning e.event_no
), forgotten as (
  delete from event_search s using events e where e.event_no = any($1::int8[]) and s.position = e.position
), unkeyed as (
  update event_relations set key = null where event_no = any($1::int8[]) and key is not null
), applied as (
  update redactions d set applied_at = (extract(epoch from clock_timestamp()) * 1000)::int8
  from events e where e.event_no = any($1::int8[]) and d.redacted_event_id = e.event_id
)
select count(*)::int4 as count from cut`;

/** Stores what is left of redacted events, and notes it; gives back how many had more before. */
export async function updateCutEvents(
  db: Queryable,
  events: readonly { eventNo: number; json: string }[],
): Promise<number> {
  const values = [events.map(({ eventNo }) => eventNo), events.map(({ json }) => json)];
  const rows = await db.query<{ count: number }>({ name: 'redactions_update_cut', text: CUT, values });
  return rows[0]?.count ?? 0;
}

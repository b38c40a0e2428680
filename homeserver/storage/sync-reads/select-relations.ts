import type { Queryable } from '../database.ts';
import type { TimelineRow } from './select-timeline.ts';

/** Which events that relate to a parent are wanted, from `low` (not included) up to `high` in the order of positions. */
export interface RelatedRange {
  roomNo: number;
  parentId: string;
  /** Numbers of `event_relations.rel_type`. */
  relTypes: readonly number[];
  /** Undefined: of any type. */
  typeNo: number | undefined;
  low: number;
  high: number;
  limit: number;
  deviceNo: number;
}

const COLUMNS = `e.room_no, e.event_no, e.anchor, e.position, e.sender_no, e.type_no, e.state_key_no, e.state_before, e.state_after, e.ts,
  e.flags, e.event_id, e.json, null as because_id, null as because_json, null as because_ts, t.txn_id, t.device_no as txn_device,
  exists (select 1 from event_relations c where c.parent_id = e.event_id) as related`;

// A range of the index for each type of relation, so a page costs what it gives, however many relate to the parent.
const related = (order: 'asc' | 'desc') => `
select ${COLUMNS}
from unnest($3::int2[]) as w(rel_type)
cross join lateral (
  select x.event_no from event_relations x join events c on c.event_no = x.event_no
  where x.parent_id = $2 and x.rel_type = w.rel_type and x.position > $5 and x.position <= $6 and x.room_no = $1
    and ($4::int4 is null or c.type_no = $4)
    and not exists (select 1 from redactions d where d.redacted_event_id = c.event_id)
  order by x.position ${order} limit $7
) x
join events e on e.event_no = x.event_no
left join transactions t on t.event_no = e.event_no and t.device_no = $8
order by e.position ${order} limit $7`;
const BACKWARDS = related('desc');
const FORWARDS = related('asc');

/** Events that relate to a parent, the newest first or with `backwards` unset the oldest; redacted ones relate to nothing. */
export function selectRelated(db: Queryable, range: RelatedRange, backwards: boolean): Promise<TimelineRow[]> {
  const values = [
    range.roomNo,
    range.parentId,
    range.relTypes,
    range.typeNo ?? null,
    range.low,
    range.high,
    range.limit,
    range.deviceNo,
  ];
  const statement = backwards
    ? { name: 'event_relations_select_back', text: BACKWARDS }
    : { name: 'event_relations_select_forward', text: FORWARDS };
  return db.query({ ...statement, values });
}

// Only through relations that are wanted themselves; the limit ends the walk, which goes level by level.
const DESCENDANTS = `
with recursive down(event_no, event_id, hop) as (
  select c.event_no, c.event_id, 1 from event_relations x join events c on c.event_no = x.event_no
  where x.parent_id = $2 and x.rel_type = any($3::int2[]) and x.room_no = $1 and ($4::int4 is null or c.type_no = $4)
    and not exists (select 1 from redactions d where d.redacted_event_id = c.event_id)
  union all
  select c.event_no, c.event_id, u.hop + 1
  from down u join event_relations x on x.parent_id = u.event_id join events c on c.event_no = x.event_no
  where u.hop < $9 and x.rel_type = any($3::int2[]) and x.room_no = $1 and ($4::int4 is null or c.type_no = $4)
    and not exists (select 1 from redactions d where d.redacted_event_id = c.event_id)
), found as (select distinct event_no from (select event_no from down limit 10000) f)
select ${COLUMNS}
from found f join events e on e.event_no = f.event_no
left join transactions t on t.event_no = e.event_no and t.device_no = $8
where e.position > $5 and e.position <= $6
order by case when $10 then -e.position else e.position end limit $7`;

/** Events that relate to a parent directly or through up to `depth - 1` others. */
export function selectDescendants(
  db: Queryable,
  range: RelatedRange,
  { backwards, depth }: { backwards: boolean; depth: number },
): Promise<TimelineRow[]> {
  const values = [
    range.roomNo,
    range.parentId,
    range.relTypes,
    range.typeNo ?? null,
    range.low,
    range.high,
    range.limit,
    range.deviceNo,
    depth,
    backwards,
  ];
  return db.query({ name: 'event_relations_select_descendants', text: DESCENDANTS, values });
}

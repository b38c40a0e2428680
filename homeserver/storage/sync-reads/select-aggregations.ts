import type { Queryable } from '../database.ts';
import type { TimelineRow } from './select-timeline.ts';

/** An event with the id of the event that it relates to. */
export interface ChildRow extends TimelineRow {
  parent_id: string;
}

/** Events whose aggregations are wanted: who sent them, of which type they are; and whose events are none of them. */
export interface Parents {
  roomNos: readonly number[];
  eventIds: readonly string[];
  senderNos: readonly number[];
  typeNos: readonly number[];
  /** Position after which no event is for the reader, for each. */
  ends: readonly number[];
  /** Numbers of the users whom the reader ignores. */
  ignored: readonly number[];
}

// Several of each: whether an edit is valid is told by its content, which is not for the database to read.
const EDITS = `
select w.parent_id, e.room_no, e.event_no, e.anchor, e.position, e.sender_no, e.type_no, e.state_key_no, e.state_before,
  e.state_after, e.ts, e.flags, e.event_id, e.json, null as because_id, null as because_json, null as because_ts, null as txn_id, null as txn_device,
  false as related
from unnest($1::int8[], $2::text[], $3::int8[], $4::int4[], $5::int8[]) as w(room_no, parent_id, sender_no, type_no, ending)
cross join lateral (
  select c.* from event_relations x join events c on c.event_no = x.event_no
  where x.parent_id = w.parent_id and x.rel_type = 2 and c.room_no = w.room_no and c.sender_no = w.sender_no
    and c.type_no = w.type_no and c.state_key_no is null and c.position <= w.ending and c.sender_no <> all($6::int8[])
    and not exists (select 1 from redactions d where d.redacted_event_id = c.event_id)
  order by c.ts desc, c.event_id desc limit 3
) e
order by e.ts desc, e.event_id desc`;

/** Edits of events by their own senders, the newest first; at most three of each event. */
export function selectEdits(db: Queryable, parents: Parents): Promise<ChildRow[]> {
  const { roomNos, eventIds, senderNos, typeNos, ends, ignored } = parents;
  const values = [roomNos, eventIds, senderNos, typeNos, ends, ignored];
  return db.query({ name: 'event_relations_select_edits', text: EDITS, values });
}

const REFERENCES = `
select w.parent_id, e.room_no, e.event_no, e.anchor, e.position, e.sender_no, e.type_no, e.state_key_no, e.state_before,
  e.state_after, e.ts, e.flags, e.event_id, e.json, null as because_id, null as because_json, null as because_ts, null as txn_id, null as txn_device,
  false as related
from unnest($1::int8[], $2::text[], $3::int8[]) as w(room_no, parent_id, ending)
cross join lateral (
  select c.* from event_relations x join events c on c.event_no = x.event_no
  where x.parent_id = w.parent_id and x.rel_type = 4 and c.room_no = w.room_no and c.position <= w.ending
    and c.sender_no <> all($4::int8[])
    and not exists (select 1 from redactions d where d.redacted_event_id = c.event_id)
  order by x.position limit 100
) e
order by e.position`;

/** Events that refer to events, oldest first; at most a hundred for each. */
export function selectReferences(db: Queryable, parents: Parents): Promise<ChildRow[]> {
  const values = [parents.roomNos, parents.eventIds, parents.ends, parents.ignored];
  return db.query({ name: 'event_relations_select_references', text: REFERENCES, values });
}

export interface ThreadRow extends ChildRow {
  /** Events in the thread, counted up to ten thousand. */
  count: number;
  participated: boolean;
}

const THREADS = `
select w.parent_id, s.count, s.participated, e.room_no, e.event_no, e.anchor, e.position, e.sender_no, e.type_no, e.state_key_no,
  e.state_before, e.state_after, e.ts, e.flags, e.event_id, e.json, null as because_id, null as because_json, null as because_ts,
  t.txn_id, t.device_no as txn_device, exists (select 1 from event_relations c where c.parent_id = e.event_id) as related
from unnest($1::int8[], $2::text[], $6::int8[]) as w(room_no, parent_id, ending)
cross join lateral (
  select count(*)::int4 as count, coalesce(bool_or(m.sender_no = $3), false) as participated, max(m.position) as latest
  from (
    select c.sender_no, c.position from event_relations x join events c on c.event_no = x.event_no
    where x.parent_id = w.parent_id and x.rel_type = 3 and c.room_no = w.room_no and c.position <= w.ending
      and c.sender_no <> all($4::int8[])
      and not exists (select 1 from redactions d where d.redacted_event_id = c.event_id)
    order by x.position desc limit 10000
  ) m
) s
join events e on e.position = s.latest
left join transactions t on t.event_no = e.event_no and t.device_no = $5`;

/** The newest event of each thread with what the thread amounts to, without the events of ignored users. */
export function selectThreads(
  db: Queryable,
  parents: Parents,
  reader: { userNo: number; deviceNo: number },
): Promise<ThreadRow[]> {
  const { roomNos, eventIds, ends, ignored } = parents;
  const values = [roomNos, eventIds, reader.userNo, ignored, reader.deviceNo, ends];
  return db.query({ name: 'event_relations_select_thread_sums', text: THREADS, values });
}

export interface ThreadRootRow {
  parent_id: string;
  position: number;
}

// From the newest threaded event down; an event stands for its thread when none of the thread is newer, those of ignored users aside.
const ROOTS = `
select x.parent_id, x.position
from event_relations x
join events e on e.event_no = x.event_no
join events r on r.event_id = x.parent_id and r.room_no = x.room_no and r.anchor is not null
where x.room_no = $1 and x.rel_type = 3 and x.position < $2 and e.sender_no <> all($5::int8[])
  and not exists (select 1 from redactions d where d.redacted_event_id = e.event_id)
  and not exists (
    select 1 from event_relations n join events m on m.event_no = n.event_no
    where n.parent_id = x.parent_id and n.rel_type = 3 and n.position > x.position and n.position <= $6
      and m.sender_no <> all($5::int8[])
      and not exists (select 1 from redactions d where d.redacted_event_id = m.event_id)
  )
  and ($4::int8 is null or r.sender_no = $4 or exists (
    select 1 from event_relations p join events q on q.event_no = p.event_no
    where p.parent_id = x.parent_id and p.rel_type = 3 and q.sender_no = $4 and p.position <= $6
      and not exists (select 1 from redactions d where d.redacted_event_id = q.event_id)
  ))
order by x.position desc limit $3`;

export interface ThreadRootPage {
  roomNo: number;
  /** The newest event of the thread lies before this position. */
  before: number;
  limit: number;
  participantNo: number | undefined;
  /** Events of these users count for nothing, nor do those after `end`. */
  ignored: readonly number[];
  end: number;
}

/** Roots of threads, those with the latest events first; of one participant if `participantNo` is given. */
export function selectThreadRoots(db: Queryable, page: ThreadRootPage): Promise<ThreadRootRow[]> {
  const { roomNo, before, limit, participantNo, ignored, end } = page;
  const values = [roomNo, before, limit, participantNo ?? null, ignored, end];
  return db.query({ name: 'event_relations_select_roots', text: ROOTS, values });
}

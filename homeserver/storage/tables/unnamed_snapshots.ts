/**
 * unnamed_snapshots: a row is a snapshot that nothing named when it was stored or looked at last. Written with the snapshot
 * (snapshots.ts); read and deleted by a leased job. A row each for the states of received and merged events, for two days.
 */
import type { Queryable } from '../database.ts';

export interface UnnamedRow {
  room_no: number;
  snapshots: number[];
}

// A process that has been silent for long may still write what it had begun, until its row is gone.
const SELECT_DUE = `
with now as (select (extract(epoch from clock_timestamp()) * 1000)::int8 as ms)
select d.room_no, array_agg(d.snapshot) as snapshots
from (
  select u.room_no, u.snapshot from unnamed_snapshots u, now
  where u.at <= now.ms - $1 and not exists (select from ops.replica r where r.heartbeat < now.ms - $2)
  order by u.at limit $3
) d
group by d.room_no order by d.room_no`;

/** What was noted more than `ageMs` ago, by room, at most `limit`; nothing while a process is registered that has been silent for `silentMs`. */
export function selectUnnamedSnapshots(
  db: Queryable,
  { ageMs, silentMs, limit }: { ageMs: number; silentMs: number; limit: number },
): Promise<UnnamedRow[]> {
  return db.query<UnnamedRow>({
    name: 'unnamed_snapshots_select_due',
    text: SELECT_DUE,
    values: [ageMs, silentMs, limit],
  });
}

/** A place in the order of a room's events. */
export interface EventPlace {
  readonly anchor: number;
  readonly position: number;
}

const SELECT_NAMED = `
with page as (
  select anchor, position, state_before, state_after from events
  where room_no = $1 and (anchor, position) < ($3::int8, $4::int8)
  order by anchor desc, position desc limit $5
)
select
  array(
    select n.snapshot from (select state_before as snapshot from page union select state_after from page) n
    where n.snapshot = any($2::int8[])
  ) as named,
  (select anchor from page order by anchor, position limit 1) as anchor,
  (select position from page order by anchor, position limit 1) as position`;

/** Which of these snapshots the newest `limit` events of a room's timeline before a place name; `next` undefined: there are no more. */
export async function selectNamedInTimeline(
  db: Queryable,
  wanted: { roomNo: number; snapshots: readonly number[] },
  { before, limit }: { before: EventPlace; limit: number },
): Promise<{ named: readonly number[]; next: EventPlace | undefined }> {
  const { roomNo, snapshots } = wanted;
  const [row] = await db.query<{ named: number[]; anchor: number | null; position: number | null }>({
    name: 'events_select_named_snapshots',
    text: SELECT_NAMED,
    values: [roomNo, snapshots, before.anchor, before.position, limit],
  });
  const { named = [], anchor = null, position = null } = row ?? {};
  return { named, next: anchor === null || position === null ? undefined : { anchor, position } };
}

const SELECT_NAMED_ASIDE = `
select w.snapshot from unnest($2::int8[]) w (snapshot)
where w.snapshot in (select snapshot from rooms where room_no = $1)
  or exists (select from merged_states m where m.snapshot = w.snapshot)
  or w.snapshot in (select state_before from events where room_no = $1 and anchor is null
    union all select state_after from events where room_no = $1 and anchor is null)`;

/** Which of these snapshots the room itself, a merge of branches or an event that is in no timeline names. */
export async function selectNamedAside(
  db: Queryable,
  { roomNo, snapshots }: { roomNo: number; snapshots: readonly number[] },
): Promise<number[]> {
  const values = [roomNo, snapshots];
  const rows = await db.query<{ snapshot: number }>({
    name: 'unnamed_snapshots_select_named',
    text: SELECT_NAMED_ASIDE,
    values,
  });
  return rows.map((row) => row.snapshot);
}

const DELETE = `
with based as materialized (
  select distinct base from snapshots where room_no = $1 and base = any($3::int8[])
), gone as (
  delete from snapshots where snapshot = any($3) and snapshot not in (select base from based) returning snapshot
), settled as (
  delete from unnamed_snapshots where snapshot = any($2::int8[]) or snapshot in (select snapshot from gone)
), kept as (
  update unnamed_snapshots set at = (extract(epoch from clock_timestamp()) * 1000)::int8
  where snapshot in (select base from based) or snapshot = any($4::int8[])
)
select count(*)::int4 as count from gone`;

/** What was found of the unnamed snapshots of one room. */
export interface LookedAt {
  readonly roomNo: number;
  /** Something names them: nobody has to look again. */
  readonly named: readonly number[];
  /** Nothing does; they go, but for those that others are based on. */
  readonly unnamed: readonly number[];
  /** To be looked at another time. */
  readonly later: readonly number[];
}

/** Settles what was found; gives back how many snapshots are gone. */
export async function deleteUnnamedSnapshots(db: Queryable, found: LookedAt): Promise<number> {
  const values = [found.roomNo, found.named, found.unnamed, found.later];
  const rows = await db.query<{ count: number }>({ name: 'unnamed_snapshots_delete', text: DELETE, values });
  return rows[0]?.count ?? 0;
}

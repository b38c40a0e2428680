/**
 * push_counters: a row is what was unread for a user in a room when it was counted last. Written and read by those who count; a row that
 * is lost or out of date is counted again. Grows by one row for each room with many unread events of each user who syncs.
 */
import type { Queryable } from '../database.ts';

export interface NewPushCounter {
  roomNo: number;
  /** Every event up to this position is counted. */
  countedTo: number;
  /** Thread -> [notifications, highlights], as JSON text. */
  counts: string;
}

// Two replicas may have counted: what was counted further on stands.
const UPSERT = `
insert into push_counters (user_no, room_no, counted_to, counts)
select $1, c.room_no, c.counted_to, c.counts
from unnest($2::int8[], $3::int8[], $4::text[]) as c(room_no, counted_to, counts)
order by c.room_no
on conflict (user_no, room_no) do update set counted_to = excluded.counted_to, counts = excluded.counts
where push_counters.counted_to < excluded.counted_to`;

/** Keeps counts of a user, one for each room. */
export async function upsertPushCounters(
  db: Queryable,
  userNo: number,
  counters: readonly NewPushCounter[],
): Promise<void> {
  const values = [
    userNo,
    counters.map((counter) => counter.roomNo),
    counters.map((counter) => counter.countedTo),
    counters.map((counter) => counter.counts),
  ];
  await db.query({ name: 'push_counters_upsert', text: UPSERT, values });
}

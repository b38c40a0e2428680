/**
 * snapshots: a row is the state of a room at a moment, as the difference to a base. Written by the batch function with the
 * events that change the state, and by the pipeline for states that it has resolved; read by both and by sync. One row a
 * state event; a leased job collects what nothing names (unnamed_snapshots).
 */
import type { Queryable } from '../database.ts';
import type { NewSnapshot } from '../write-batch.ts';

const INSERT = `
with noted as (
  insert into unnamed_snapshots (snapshot, room_no, at)
  values ($1, $2, (extract(epoch from clock_timestamp()) * 1000)::int8)
)
insert into snapshots (snapshot, room_no, base, ordinal, keys, events, members, member_events)
values ($1, $2, $3, $4, $5, $6, $7, $8)`;

/**
 * A state that no event of a batch makes: nothing names it yet, so it takes no part in the order of batches. What it is stored for
 * has to name it within the hour, or it may be gone.
 */
export async function insertSnapshot(db: Queryable, roomNo: number, row: NewSnapshot): Promise<void> {
  const { snapshot, base, ordinal, keys, events, members, memberEvents } = row;
  await db.query({
    name: 'snapshots_insert_resolved',
    text: INSERT,
    values: [snapshot, roomNo, base, ordinal, keys, events, members, memberEvents],
  });
}

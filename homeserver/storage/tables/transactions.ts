/**
 * transactions: a row is a client's transaction id of a send. Written by the batch function with the event; read by it and by
 * the pipeline so that a repeated send gives the same event, and by sync for the sending device. A row for each local event;
 * a leased job deletes rows older than 48 hours.
 */
import type { Queryable } from '../database.ts';

const DELETE_OLD = `
delete from transactions where event_no = any(array(
  select event_no from transactions where at < (extract(epoch from clock_timestamp()) * 1000)::int8 - $1 order by at limit $2
)) returning event_no`;

/** Deletes transactions older than `ageMs`, oldest first, at most `limit`. Returns how many. */
export async function deleteOldTransactions(db: Queryable, ageMs: number, limit: number): Promise<number> {
  return (await db.query({ name: 'transactions_delete_old', text: DELETE_OLD, values: [ageMs, limit] })).length;
}

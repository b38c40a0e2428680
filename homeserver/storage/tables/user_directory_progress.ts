/**
 * user_directory_progress: its one row says how far the check of user_directory against the accounts has come. Written by the worker
 * that makes the check, one chunk a transaction.
 */
import type { Queryable } from '../database.ts';

const SELECT = `
select user_no, (extract(epoch from clock_timestamp()) * 1000)::int8 - finished_at as age
from user_directory_progress for update`;

/** Where the round stands (0: none is under way) and how long ago the last one ended, ms; locked until the end of the transaction. */
export async function lockDirectoryProgress(db: Queryable): Promise<{ userNo: number; ageMs: number }> {
  const rows = await db.query<{ user_no: number; age: number }>({
    name: 'user_directory_progress_select',
    text: SELECT,
  });
  const row = rows[0];
  if (row === undefined) throw new Error('user_directory_progress has no row');
  return { userNo: row.user_no, ageMs: row.age };
}

const NEXT = 'select user_no from accounts where user_no > $1 order by user_no limit $2';

/** The next accounts of a round. */
export async function selectNextAccounts(db: Queryable, after: number, limit: number): Promise<number[]> {
  const rows = await db.query<{ user_no: number }>({
    name: 'accounts_select_next',
    text: NEXT,
    values: [after, limit],
  });
  return rows.map((row) => row.user_no);
}

const UPDATE = `
update user_directory_progress set user_no = $1::int8,
  finished_at = case when $1::int8 = 0 then (extract(epoch from clock_timestamp()) * 1000)::int8 else finished_at end`;

/** Notes that accounts up to this number are checked; 0: that the round is over. */
export async function updateDirectoryProgress(db: Queryable, userNo: number): Promise<void> {
  await db.query({ name: 'user_directory_progress_update', text: UPDATE, values: [userNo] });
}

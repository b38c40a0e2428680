/**
 * commits: a row is a finished batch; together they are the head of the stream, the record for retries and the feed for
 * caches. Written by the batch function and by after-restore; read by every replica once a second and after notifications.
 * Grows by a row for each batch; a leased job deletes rows older than one hour, never the newest.
 */
import type { Queryable } from '../database.ts';

export interface CommitRow {
  position: number;
  previous: number;
  server_start: number;
  replica: number;
  rooms: number[];
  users: number[];
}

const SELECT_AFTER = `
select position, previous, server_start, replica, rooms, users from commits where position > $1 order by position limit $2`;

/** Batches after `position`, oldest first. */
export async function selectCommitsAfter(db: Queryable, position: number, limit: number): Promise<CommitRow[]> {
  return db.query<CommitRow>({ name: 'commits_select_after', text: SELECT_AFTER, values: [position, limit] });
}

const SELECT_NEWEST = 'select position, server_start from commits order by position desc limit 1';

/** The newest batch; undefined in a new database. */
export async function selectNewestCommit(
  db: Queryable,
): Promise<Pick<CommitRow, 'position' | 'server_start'> | undefined> {
  const rows = await db.query<Pick<CommitRow, 'position' | 'server_start'>>({
    name: 'commits_select_newest',
    text: SELECT_NEWEST,
  });
  return rows[0];
}

const DELETE_OLD = `
delete from commits where position = any(array(
  select position from commits
  where at < (extract(epoch from clock_timestamp()) * 1000)::int8 - $1
    and position < (select max(position) from commits)
  order by position limit $2
)) returning position`;

/** Deletes batches older than `ageMs`, oldest first, at most `limit`; never the newest. Returns how many. */
export async function deleteOldCommits(db: Queryable, ageMs: number, limit: number): Promise<number> {
  return (await db.query({ name: 'commits_delete_old', text: DELETE_OLD, values: [ageMs, limit] })).length;
}

const INSERT_RESTORE = `
with old as (delete from commits returning position),
head as (select coalesce(max(position), 0) as position from old)
insert into commits (position, first_position, previous, batch, at, server_start, replica, rooms, users, refused)
select next, next, head.position, next, (extract(epoch from clock_timestamp()) * 1000)::int8,
  (extract(epoch from pg_postmaster_start_time()) * 1000000)::int8, 0, '{}', '{}', '{}'
from head, lateral (select (head.position / 1000000000 + 1000) * 1000000000 as next) n
returning position`;

/**
 * Empties the table but for one row, 1000 multiples of 1e9 further on, which is returned: each start of the server after the
 * backup took one of them, and clients may hold tokens from any of those. Under lock 7001.
 */
export async function insertRestoreCommit(db: Queryable): Promise<number> {
  const rows = await db.query<{ position: number }>({ name: 'commits_insert_restore', text: INSERT_RESTORE });
  return rows[0]?.position ?? 0;
}

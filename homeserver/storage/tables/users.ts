/**
 * users: a row is a user seen, ours or another server's. Written by Names when a user is first met; read by Names, which caches
 * it, and joined by many. Grows by a row for each user; immutable.
 */
import type { Queryable } from '../database.ts';

export interface UserRow {
  user_no: number;
  user_id: string;
}

const SELECT_BY_ID = 'select user_no, user_id from users where user_id = any($1::text[])';

/** The users of these ids that we know, in no order. */
export async function selectUsersById(db: Queryable, userIds: readonly string[]): Promise<UserRow[]> {
  return db.query<UserRow>({ name: 'users_select_by_id', text: SELECT_BY_ID, values: [userIds] });
}

const SELECT_BY_NO = 'select user_no, user_id from users where user_no = any($1::int8[])';

/** The users of these numbers, in no order. */
export async function selectUsersByNo(db: Queryable, userNos: readonly number[]): Promise<UserRow[]> {
  return db.query<UserRow>({ name: 'users_select_by_no', text: SELECT_BY_NO, values: [userNos] });
}

const INSERT = `
insert into users (user_id, server_no, local)
select n.user_id, s.server_no, s.name = (select server_name from ops.schema_state)
from unnest($1::text[], $2::text[]) n (user_id, server) join servers s on s.name = n.server
order by n.user_id
on conflict (user_id) do nothing`;

/** Inserts the users that are missing; their servers must be there. */
export async function insertUsers(db: Queryable, users: readonly { userId: string; server: string }[]): Promise<void> {
  const values = [users.map((user) => user.userId), users.map((user) => user.server)];
  await db.query({ name: 'users_insert', text: INSERT, values });
}

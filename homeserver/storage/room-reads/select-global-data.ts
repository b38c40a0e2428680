import type { Queryable } from '../database.ts';

const TEXT = `
select u.user_id, a.content
from users u join account_data a on a.user_no = u.user_no and a.room_no = 0 and a.type = $2
where u.user_id = any($1::text[])`;

/** Account data of one type of each of these users who has it, as JSON text. */
export function selectGlobalDataOfUsers(
  db: Queryable,
  userIds: readonly string[],
  type: string,
): Promise<{ user_id: string; content: string }[]> {
  return db.query({ name: 'account_data_select_of_users', text: TEXT, values: [userIds, type] });
}

import type { Queryable } from '../database.ts';

/** What of a profile goes into member events. */
export interface MemberProfileRow {
  user_id: string;
  field: string;
  /** JSON text. */
  value: string;
}

const TEXT = `
select u.user_id, p.field, p.value
from users u join profiles p on p.user_no = u.user_no
where u.user_id = any($1::text[]) and p.field = any('{displayname,avatar_url}'::text[])`;

/** Display names and avatars of local users, one row a field that is set. */
export function selectMemberProfiles(db: Queryable, userIds: readonly string[]): Promise<MemberProfileRow[]> {
  return db.query({ name: 'profiles_select_for_members', text: TEXT, values: [userIds] });
}

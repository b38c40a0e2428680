/**
 * profiles: a row is one field of a local user's profile. Written by the user; read by profile requests and member events.
 * Grows by at most a few rows a user; deleted when the field is removed.
 */
import type { Queryable } from '../database.ts';

export interface ProfileRow {
  field: string;
  /** JSON text. */
  value: string;
}

const SELECT = `select field, value from profiles where user_no = $1 order by field`;

export async function selectProfile(db: Queryable, userNo: number): Promise<ProfileRow[]> {
  return db.query<ProfileRow>({ name: 'profiles_select', text: SELECT, values: [userNo] });
}

const UPSERT = `
  insert into profiles (user_no, field, value) values ($1, $2, $3)
  on conflict (user_no, field) do update set value = excluded.value where profiles.value <> excluded.value
  returning user_no`;

/** `value` is JSON text. False when it was the same before. */
export async function upsertProfileField(
  db: Queryable,
  userNo: number,
  field: string,
  value: string,
): Promise<boolean> {
  const rows = await db.query({ name: 'profiles_upsert', text: UPSERT, values: [userNo, field, value] });
  return rows.length === 1;
}

const DELETE = `delete from profiles where user_no = $1 and field = $2 returning user_no`;

/** False when there was none. */
export async function deleteProfileField(db: Queryable, userNo: number, field: string): Promise<boolean> {
  const rows = await db.query({ name: 'profiles_delete', text: DELETE, values: [userNo, field] });
  return rows.length === 1;
}

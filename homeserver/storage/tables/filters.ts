/**
 * filters: a row is a filter that a user has stored; the same filter is stored once. Written by defineFilter, read by sync.
 * Grows by one row for each different filter of a user, up to a limit; deleted with the user's data.
 */
import type { Queryable } from '../database.ts';

export interface NewFilter {
  userNo: number;
  /** SHA-256 of the canonical JSON. */
  digest: Buffer;
  json: string;
}

// The limit is checked in the statement; a race may let a few more in, which does no harm.
const INSERT = `
  insert into filters (user_no, digest, json)
  select $1, $2, $3
  where (select count(*) from (select 1 from filters where user_no = $1 limit $4) f) < $4
  on conflict (user_no, digest) do nothing returning filter_no`;
const SELECT_BY_DIGEST = `select filter_no from filters where user_no = $1 and digest = $2`;

/** The filter's number, also when it was stored before; undefined when the user has `atMost` filters already. */
export async function upsertFilter(db: Queryable, filter: NewFilter, atMost: number): Promise<number | undefined> {
  const key = [filter.userNo, filter.digest];
  const known = await db.query<{ filter_no: number }>({
    name: 'filters_select_by_digest',
    text: SELECT_BY_DIGEST,
    values: key,
  });
  if (known[0] !== undefined) return known[0].filter_no;
  const values = [...key, filter.json, atMost];
  const made = await db.query<{ filter_no: number }>({ name: 'filters_insert', text: INSERT, values });
  if (made[0] !== undefined) return made[0].filter_no;
  const raced = await db.query<{ filter_no: number }>({
    name: 'filters_select_by_digest',
    text: SELECT_BY_DIGEST,
    values: key,
  });
  return raced[0]?.filter_no;
}

const SELECT = `select json from filters where user_no = $1 and filter_no = $2`;

/** The filter as JSON text. */
export async function selectFilter(db: Queryable, userNo: number, filterNo: number): Promise<string | undefined> {
  const rows = await db.query<{ json: string }>({ name: 'filters_select', text: SELECT, values: [userNo, filterNo] });
  return rows[0]?.json;
}

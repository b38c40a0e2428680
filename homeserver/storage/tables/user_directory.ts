/**
 * user_directory: a row is what the user directory knows of an account. Written in the transaction of a registration or a change of the
 * profile, and by the check that goes through all accounts; read by searches. One row an account.
 */
import type { Queryable } from '../database.ts';

const LOCK = 'select user_no from accounts where user_no = any($1::int8[]) order by user_no for update';

const PROFILES = `
select u.user_no, u.user_id,
  (select p.value from profiles p where p.user_no = u.user_no and p.field = 'displayname') as displayname,
  (select p.value from profiles p where p.user_no = u.user_no and p.field = 'avatar_url') as avatar_url
from users u where u.user_no = any($1::int8[])`;

export interface DirectorySource {
  user_no: number;
  user_id: string;
  /** JSON texts; null: none. */
  displayname: string | null;
  avatar_url: string | null;
}

/**
 * What the rows of these accounts are made of. The accounts are locked first, so that what is written next is never older than what
 * another transaction writes.
 */
export async function lockDirectorySources(db: Queryable, userNos: readonly number[]): Promise<DirectorySource[]> {
  const values = [userNos];
  await db.query({ name: 'accounts_select_for_directory', text: LOCK, values });
  return db.query({ name: 'user_directory_select_sources', text: PROFILES, values });
}

export interface DirectoryRow {
  userNo: number;
  localKey: string;
  nameKey: string;
  displayName: string | null;
  avatarUrl: string | null;
  words: readonly string[];
}

// Words of one row travel as one text; none of them has a space.
const UPSERT = `
insert into user_directory (user_no, local_key, name_key, display_name, avatar_url, words)
select d.user_no, d.local_key, d.name_key, d.display_name, d.avatar_url, array_to_tsvector(string_to_array(d.words, ' '))
from unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
  d (user_no, local_key, name_key, display_name, avatar_url, words)
on conflict (user_no) do update set local_key = excluded.local_key, name_key = excluded.name_key,
  display_name = excluded.display_name, avatar_url = excluded.avatar_url, words = excluded.words
where (user_directory.local_key, user_directory.name_key, user_directory.display_name, user_directory.avatar_url, user_directory.words)
  is distinct from (excluded.local_key, excluded.name_key, excluded.display_name, excluded.avatar_url, excluded.words)`;

/** Writes what is not there yet; a row that is the same stays as it is. */
export async function upsertDirectory(db: Queryable, rows: readonly DirectoryRow[]): Promise<void> {
  const values = [
    rows.map((row) => row.userNo),
    rows.map((row) => row.localKey),
    rows.map((row) => row.nameKey),
    rows.map((row) => row.displayName),
    rows.map((row) => row.avatarUrl),
    rows.map((row) => row.words.join(' ')),
  ];
  await db.query({ name: 'user_directory_upsert', text: UPSERT, values });
}

export interface FoundUserRow {
  user_id: string;
  display_name: string | null;
  avatar_url: string | null;
}

export interface DirectorySearch {
  readerNo: number;
  /** Every word must begin one of a user. */
  words: readonly string[];
  /** What the term is compared as: who is called just that comes first. */
  key: string;
  /** Beginning of the user id, or undefined. */
  idPrefix: string | undefined;
  /** All users, or those whom the reader may know of. */
  all: boolean;
  /** State keys of the join rules and of the history visibility. */
  roomKeys: readonly number[];
}

// Visibility is looked at from the best hit on and only until there are enough; hits beyond 5000 are not looked at. Stored events are
// canonical JSON, so the text says what the rule is; PostgreSQL cannot look into JSON that holds a NUL.
const SEARCH = `
select f.user_id, f.display_name, f.avatar_url
from (
  select d.user_no, u.user_id, d.display_name, d.avatar_url
  from user_directory d join users u on u.user_no = d.user_no
  where d.words @@ (select string_agg('''' || w || ''':*', ' & ') from unnest($2::text[]) w)::tsquery
    and d.user_no <> $1 and ($4::text is null or starts_with(u.user_id, $4))
    and not exists (select from accounts a where a.user_no = d.user_no and a.deactivated_at is not null)
  order by (d.local_key = $3 or d.name_key = $3) desc, d.display_name is not null desc, d.avatar_url is not null desc, u.user_id
  limit 5000
) f
where $5 or exists (
  select from memberships m join memberships o on o.room_no = m.room_no and o.user_no = $1 and o.membership = 1
  where m.user_no = f.user_no and m.membership = 1
) or exists (
  select from memberships m join current_state c on c.room_no = m.room_no and c.state_key_no = any($6::int8[])
  join events e on e.event_no = c.event_no
  where m.user_no = f.user_no and m.membership = 1
    and (e.json like '%"join_rule":"public"%' or e.json like '%"history_visibility":"world_readable"%')
)
limit $7`;

/** Users of the directory whom the reader may know of, the best first; not the reader. */
export function selectDirectory(db: Queryable, search: DirectorySearch, limit: number): Promise<FoundUserRow[]> {
  const { readerNo, words, key, idPrefix = null, all, roomKeys } = search;
  const values = [readerNo, words, key, idPrefix, all, roomKeys, limit];
  return db.query({ name: 'user_directory_search', text: SEARCH, values });
}

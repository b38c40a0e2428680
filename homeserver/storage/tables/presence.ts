/**
 * presence: a row is what is known of the presence of one local user. Written by whatever replica hears of the user (syncs, messages,
 * PUT) and by the sweep; read by syncs. One row a user, never deleted. All times are the database's: clocks of replicas may differ.
 */
import type { Queryable } from '../database.ts';

export interface PresenceRow {
  user_no: number;
  /** 1 online, 2 unavailable, 3 offline. */
  state: number;
  status_msg: string | null;
  /** Unix ms; 0: never. */
  last_active_at: number;
  currently_active: boolean;
}

/** A row with what it is made of, locked until the end of the transaction. */
export interface LockedPresenceRow extends PresenceRow {
  devices: number[];
  /** 1 online, 2 unavailable. */
  declared: number[];
  untils: number[];
  /** Unix ms. */
  now: number;
}

const INSERT = `insert into presence (user_no) select u.no from unnest($1::int8[]) as u(no) on conflict do nothing`;

const LOCK = `
select user_no, state, status_msg, last_active_at, currently_active, devices, declared, untils,
  (extract(epoch from clock_timestamp()) * 1000)::int8 as now
from presence where user_no = any($1::int8[]) order by user_no for update`;

/** Locks the rows of these users, which are made where missing; sorted, so that two replicas never wait for each other. */
export async function lockPresence(db: Queryable, userNos: readonly number[]): Promise<LockedPresenceRow[]> {
  const sorted = [...userNos].sort((a, b) => a - b);
  await db.query({ name: 'presence_insert_missing', text: INSERT, values: [sorted] });
  return db.query({ name: 'presence_select_for_update', text: LOCK, values: [sorted] });
}

const DUE = `
select user_no, state, status_msg, last_active_at, currently_active, devices, declared, untils,
  (extract(epoch from clock_timestamp()) * 1000)::int8 as now
from presence where due_at <= (extract(epoch from clock_timestamp()) * 1000)::int8
order by due_at limit $1 for update skip locked`;

/** Locks rows that time has made untrue; those that another replica works on are left to it. */
export function lockDuePresence(db: Queryable, limit: number): Promise<LockedPresenceRow[]> {
  return db.query({ name: 'presence_select_due', text: DUE, values: [limit] });
}

/** A row to write; `changed`: others are to be told. */
export interface PresenceUpdate extends PresenceRow {
  changed: boolean;
  due_at: number | null;
  devices: readonly number[];
  declared: readonly number[];
  untils: readonly number[];
}

// Arrays inside arrays travel as text, '{1,2}'.
const UPDATE = `
update presence p set state = n.state, status_msg = n.status_msg, last_active_at = n.last_active_at,
  currently_active = n.currently_active, due_at = n.due_at, devices = n.devices::int8[], declared = n.declared::int2[],
  untils = n.untils::int8[],
  changed_at = case when n.changed then (extract(epoch from clock_timestamp()) * 1000)::int8 else p.changed_at end
from unnest($1::int8[], $2::int2[], $3::text[], $4::int8[], $5::bool[], $6::int8[], $7::text[], $8::text[], $9::text[], $10::bool[])
  n (user_no, state, status_msg, last_active_at, currently_active, due_at, devices, declared, untils, changed)
where p.user_no = n.user_no`;

/** Writes rows that are locked. */
export async function updatePresence(db: Queryable, rows: readonly PresenceUpdate[]): Promise<void> {
  const list = (values: readonly number[]) => `{${values.join(',')}}`;
  const values = [
    rows.map((row) => row.user_no),
    rows.map((row) => row.state),
    rows.map((row) => row.status_msg),
    rows.map((row) => row.last_active_at),
    rows.map((row) => row.currently_active),
    rows.map((row) => row.due_at),
    rows.map((row) => list(row.devices)),
    rows.map((row) => list(row.declared)),
    rows.map((row) => list(row.untils)),
    rows.map((row) => row.changed),
  ];
  await db.query({ name: 'presence_update', text: UPDATE, values });
}

const TOUCH = `
update presence set changed_at = (extract(epoch from clock_timestamp()) * 1000)::int8 where user_no = $1 returning user_no`;

/** Has others told of a user's presence again; false when nothing is known of it. */
export async function touchPresence(db: Queryable, userNo: number): Promise<boolean> {
  return (await db.query({ name: 'presence_touch', text: TOUCH, values: [userNo] })).length > 0;
}

/** Presence as others are told it. */
export interface ToldPresenceRow extends PresenceRow {
  user_id: string;
  displayname: string | null;
  avatar_url: string | null;
  changed_at: number;
  /** Unix ms, when it was read. */
  now: number;
}

export interface ChangedPresenceRow extends ToldPresenceRow {
  /** Rooms that the user is joined to. */
  rooms: number[];
}

const CHANGED = `
select p.user_no, u.user_id, p.state, p.status_msg, p.last_active_at, p.currently_active, p.changed_at,
  d.display_name as displayname, d.avatar_url,
  (extract(epoch from clock_timestamp()) * 1000)::int8 as now,
  array(select m.room_no from memberships m where m.user_no = p.user_no and m.membership = 1) as rooms
from presence p join users u on u.user_no = p.user_no left join user_directory d on d.user_no = p.user_no where p.user_no = any($1::int8[]) order by p.changed_at`;

/** The presence of some users and where they are, the longest unchanged first. */
export function selectChangedPresence(db: Queryable, userNos: readonly number[]): Promise<ChangedPresenceRow[]> {
  return db.query({ name: 'presence_select_changed', text: CHANGED, values: [userNos] });
}

const AFTER = `select user_no, changed_at from presence where changed_at > $1 order by changed_at limit $2`;

/** Who has changed after a time, the oldest change first. */
export function selectPresenceAfter(
  db: Queryable,
  after: number,
  limit: number,
): Promise<{ user_no: number; changed_at: number }[]> {
  return db.query({ name: 'presence_select_after', text: AFTER, values: [after, limit] });
}

const NEWEST = `select coalesce(max(changed_at), 0) as newest from presence`;

/** The time of the newest change; 0: there was none. */
export async function selectNewestPresence(db: Queryable): Promise<number> {
  const rows = await db.query<{ newest: number }>({ name: 'presence_select_newest', text: NEWEST });
  return rows[0]?.newest ?? 0;
}

const SHARED_AFTER = `
select p.user_no, u.user_id, p.state, p.status_msg, p.last_active_at, p.currently_active, p.changed_at,
  d.display_name as displayname, d.avatar_url,
  (extract(epoch from clock_timestamp()) * 1000)::int8 as now
from presence p join users u on u.user_no = p.user_no left join user_directory d on d.user_no = p.user_no
where p.changed_at > $2 and (p.user_no = $1 or exists (
  select from memberships m join memberships o on o.room_no = m.room_no and o.user_no = $1 and o.membership = 1
  where m.user_no = p.user_no and m.membership = 1
))
order by p.changed_at desc limit $3`;

/** Changes after a time of users who share a room with the reader, and the reader's own, the newest first. */
export function selectSharedPresenceAfter(
  db: Queryable,
  reader: { userNo: number; after: number },
  limit: number,
): Promise<ToldPresenceRow[]> {
  const values = [reader.userNo, reader.after, limit];
  return db.query({ name: 'presence_select_shared_after', text: SHARED_AFTER, values });
}

// From the rooms to their members: more users are online than are in most people's rooms.
const PRESENT = `
select p.user_no, u.user_id, p.state, p.status_msg, p.last_active_at, p.currently_active, p.changed_at,
  d.display_name as displayname, d.avatar_url,
  (extract(epoch from clock_timestamp()) * 1000)::int8 as now
from presence p join users u on u.user_no = p.user_no left join user_directory d on d.user_no = p.user_no
where p.state <> 3 and p.user_no in (
  select m.user_no from memberships m where m.room_no = any($1::int8[]) and m.membership = 1 union all select unnest($2::int8[])
)
order by p.changed_at desc limit $3`;

/** Members of some rooms, and some more users, as far as they are not offline; the newest changes first. */
export function selectPresentUsers(
  db: Queryable,
  of: { rooms: readonly number[]; userNos: readonly number[] },
  limit: number,
): Promise<ToldPresenceRow[]> {
  return db.query({ name: 'presence_select_present', text: PRESENT, values: [of.rooms, of.userNos, limit] });
}

/** One user's presence as another one sees it. */
export interface SeenPresenceRow extends LockedPresenceRow {
  /** Whether the two share a room or are the same. */
  visible: boolean;
}

const SEEN = `
select u.user_no, coalesce(p.state, 3) as state, p.status_msg, coalesce(p.last_active_at, 0) as last_active_at,
  coalesce(p.currently_active, false) as currently_active, coalesce(p.devices, '{}') as devices,
  coalesce(p.declared, '{}') as declared, coalesce(p.untils, '{}') as untils,
  (extract(epoch from clock_timestamp()) * 1000)::int8 as now,
  u.user_no = $1 or exists (
    select from memberships m join memberships o on o.room_no = m.room_no and o.user_no = $1 and o.membership = 1
    where m.user_no = u.user_no and m.membership = 1
  ) as visible
from users u left join presence p on p.user_no = u.user_no where u.user_id = $2`;

/** Undefined when there is no such user. */
export async function selectSeenPresence(
  db: Queryable,
  readerNo: number,
  userId: string,
): Promise<SeenPresenceRow | undefined> {
  const rows = await db.query<SeenPresenceRow>({
    name: 'presence_select_seen',
    text: SEEN,
    values: [readerNo, userId],
  });
  return rows[0];
}

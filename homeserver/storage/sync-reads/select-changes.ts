import type { Queryable } from '../database.ts';
import type { AccountDataRow, ReceiptRow } from './select-streams.ts';

/** A user's membership in a room with what a sync needs of the room. */
export interface MembershipRow {
  room_no: number;
  room_id: string;
  version: number;
  /** 1 join, 2 invite, 3 leave, 4 ban, 5 knock; 0: branches that met have taken it away. */
  membership: number;
  /** Bits: 1 forgotten; 4 its history is. */
  flags: number;
  /** Position at which the membership came to hold, and number of its event; with 0 of the one that held last. */
  position: number;
  event_no: number;
  /** Snapshot of the room's present state. */
  snapshot: number;
  /** Position of the room's newest event. */
  last_position: number;
  joined: number;
  invited: number;
  /** Position of the newest own receipt in the room or of the join: what was counted as unread before it does not hold. */
  reads_position: number;
  /** Snapshot of the state at the position asked about; null when the room had no event yet, or none was asked about. */
  base: number | null;
}

/** All that concerns a user after a position, read in one statement and so at one moment. */
export interface ChangesRow {
  /** Position of the newest committed batch. */
  head: number;
  /** Numbers of the rooms that the user is joined to. */
  joined: number[];
  rooms: MembershipRow[];
  receipts: ReceiptRow[];
  account_data: AccountDataRow[];
  /** Position of the user's last change of the push rules; 0: none. */
  rules_position: number;
}

/** Everything of a user, read in one statement and so at one moment. */
export interface EverythingRow extends ChangesRow {
  /** Who is not offline of the user and the members of their rooms, the newest changes first. */
  present_user_nos: number[];
  /** Of each, twice the state [1 online, 2 unavailable] and 1 if they are active now. */
  present_states: number[];
  /** Of each, ms since they were active; -1: never. */
  present_active_ago: number[];
  /** User number -> what is written of those of whom there is something. */
  present_texts: Readonly<
    Record<string, readonly [statusMsg: string | null, displayname: string | null, avatarUrl: string | null]>
  > | null;
}

/** Global account data that says what is kept from the user: read however old it is. */
export const ALWAYS_READ: ReadonlySet<string> = new Set(['m.ignored_user_list', 'm.invite_permission_config']);

/** Of `MembershipRow`, for user $1; `base` goes with it. */
const ROOM_COLUMNS = `m.room_no, r.room_id, r.version, m.membership, m.flags, m.position, m.event_no, r.snapshot, r.last_position,
  r.joined, r.invited,
  greatest(coalesce(m.joined_at, m.position), (
    select max(position) from receipts where room_no = m.room_no and user_no = $1 and kind in (1, 2)
  )) as reads_position`;

// One statement, because rows that are overwritten in place (memberships, rooms, receipts) have to fit to the head read with
// them. What it names besides, events up to the head and snapshots, never changes and is read afterwards.
const SINCE = `
select
  (select coalesce(max(position), 0) from commits) as head,
  (select coalesce(array_agg(room_no), '{}') from memberships where user_no = $1 and membership = 1) as joined,
  (select coalesce(json_agg(c), '[]') from (
    select ${ROOM_COLUMNS}, b.snapshot as base
    from memberships m
    join rooms r on r.room_no = m.room_no
    left join lateral (
      select coalesce(s.snapshot, e.state_after) as snapshot from (
        select event_no, state_after from events where room_no = m.room_no and anchor <= $2 and position > 0
        order by anchor desc, position desc limit 1
      ) e
      left join merged_states s on s.event_no = e.event_no
    ) b on true
    where m.user_no = $1 and (m.position > $2 or (m.membership = 1 and ($3 or r.last_position > $2)))
    order by m.room_no
  ) c) as rooms,
  (select coalesce(json_agg(c), '[]') from (
    select x.room_no, u.user_id, x.kind, x.thread, e.event_id, x.ts
    from memberships m
    cross join lateral (
      select * from receipts where room_no = m.room_no and position > $2 and (kind = 1 or (kind = 2 and user_no = $1))
    ) x
    join users u on u.user_no = x.user_no
    join events e on e.event_no = x.event_no
    where m.user_no = $1 and m.membership = 1
    order by x.room_no, x.position
  ) c) as receipts,
  (select coalesce(json_agg(c), '[]') from (
    select room_no, type, content, position from account_data
    where user_no = $1 and (position > $2 or (room_no = 0 and type in ('m.ignored_user_list', 'm.invite_permission_config')))
    order by position
  ) c) as account_data,
  coalesce((select position from push_rules where user_no = $1), 0) as rules_position`;

/**
 * What changed for a user after `since`: rooms with new events (with `all` every room joined to) and rooms in which the user's
 * own membership changed, receipts in joined rooms that the user may see, account data (what keeps things from the user always).
 */
export async function selectChangesSince(
  db: Queryable,
  userNo: number,
  since: number,
  all: boolean,
): Promise<ChangesRow> {
  const rows = await db.query<ChangesRow>({
    name: 'memberships_select_changes',
    text: SINCE,
    values: [userNo, since, all],
  });
  return only(rows);
}

// Presence comes in arrays: as JSON rows it took the database as long as all the rest.
const ALL = `
select
  (select coalesce(max(position), 0) from commits) as head,
  (select coalesce(array_agg(room_no), '{}') from memberships where user_no = $1 and membership = 1) as joined,
  (select coalesce(json_agg(c), '[]') from (
    select ${ROOM_COLUMNS}, null::int8 as base
    from memberships m
    join rooms r on r.room_no = m.room_no
    where m.user_no = $1 and m.membership = any($2::int2[])
    order by m.room_no
  ) c) as rooms,
  (select coalesce(json_agg(c), '[]') from (
    select x.room_no, u.user_id, x.kind, x.thread, e.event_id, x.ts
    from memberships m
    join receipts x on x.room_no = m.room_no
    join users u on u.user_no = x.user_no
    join events e on e.event_no = x.event_no
    where m.user_no = $1 and m.membership = 1 and (x.kind = 1 or (x.kind = 2 and x.user_no = $1))
    order by x.room_no, x.position
  ) c) as receipts,
  (select coalesce(json_agg(c), '[]') from (
    select room_no, type, content, position from account_data where user_no = $1 order by position
  ) c) as account_data,
  coalesce((select position from push_rules where user_no = $1), 0) as rules_position,
  present.user_nos as present_user_nos, present.states as present_states, present.active_ago as present_active_ago,
  present.texts as present_texts
from (
  select coalesce(array_agg(p.user_no), '{}') as user_nos, coalesce(array_agg(p.shown), '{}') as states,
    coalesce(array_agg(p.active_ago), '{}') as active_ago,
    json_object_agg(p.user_no, json_build_array(p.status_msg, p.display_name, p.avatar_url))
      filter (where coalesce(p.status_msg, p.display_name, p.avatar_url) is not null) as texts
  from (
    select p.user_no, (2 * p.state + p.currently_active::int4)::int8 as shown, p.status_msg, d.display_name, d.avatar_url,
      case when p.last_active_at = 0 then -1
        else greatest(0, (extract(epoch from clock_timestamp()) * 1000)::int8 - p.last_active_at) end as active_ago
    from presence p left join user_directory d on d.user_no = p.user_no
    where $3 > 0 and p.state <> 3 and p.user_no in (
      select o.user_no from memberships m join memberships o on o.room_no = m.room_no and o.membership = 1
      where m.user_no = $1 and m.membership = 1
      union all select $1
    )
    order by p.changed_at desc limit $3
  ) p
) present`;

/** What is wanted of everything. */
export interface WantedOfEverything {
  /** Memberships of the rooms. */
  readonly kinds: readonly number[];
  /** Most rows of presence; 0: none. */
  readonly presence: number;
}

/** Everything of a user: rooms with one of these memberships, receipts in joined rooms, account data, presence. */
export async function selectEverything(
  db: Queryable,
  userNo: number,
  { kinds, presence }: WantedOfEverything,
): Promise<EverythingRow> {
  const rows = await db.query<EverythingRow & Record<string, unknown>>({
    name: 'memberships_select_everything',
    text: ALL,
    values: [userNo, kinds, presence],
  });
  return only(rows);
}

function only<Row extends ChangesRow>(rows: readonly Row[]): Row {
  const row = rows[0];
  if (row === undefined) throw new Error('a statement that always gives one row gave none');
  return row;
}

const SOME = `
select ${ROOM_COLUMNS}, null::int8 as base
from memberships m
join rooms r on r.room_no = m.room_no
where m.user_no = $1 and m.membership = 1 and m.room_no = any($2::int8[])
order by m.room_no`;

/** The user's rooms among the given ones, if joined. */
export function selectJoinedAmong(db: Queryable, userNo: number, rooms: readonly number[]): Promise<MembershipRow[]> {
  return db.query({ name: 'memberships_select_joined_among', text: SOME, values: [userNo, rooms] });
}

const JOINED_IDS = `
select r.room_id from memberships m join rooms r on r.room_no = m.room_no
where m.user_no = $1 and m.membership = 1 order by m.room_no`;

/** Ids of the rooms that the user is joined to. */
export async function selectJoinedRoomIds(db: Queryable, userNo: number): Promise<string[]> {
  const rows = await db.query<{ room_id: string }>({
    name: 'memberships_select_joined_ids',
    text: JOINED_IDS,
    values: [userNo],
  });
  return rows.map((row) => row.room_id);
}

/** A room as one user finds it, read at one moment. */
export interface RoomForReaderRow {
  head: number;
  room_no: number;
  room_id: string;
  version: number;
  snapshot: number;
  last_position: number;
  /** How many are joined. */
  joined: number;
  /** No redaction is among the room's events after the position that the caller knows it up to. */
  is_intact: boolean;
  /** Null when the user was never in the room; otherwise as in MembershipRow. */
  membership: number | null;
  flags: number | null;
  position: number | null;
  event_no: number | null;
}

// Of a caller who is far behind no more than 200 events are looked through.
const FOR_READER = `
select (select coalesce(max(position), 0) from commits) as head, r.room_no, r.room_id, r.version, r.snapshot, r.last_position, r.joined,
  $3 > 0 and (
    select count(*) < 200 and coalesce(bool_and(n.type_no <> $4), true) from (
      select type_no from events where room_no = r.room_no and anchor > $3 order by anchor limit 200
    ) n
  ) as is_intact, m.membership, m.flags, m.position, m.event_no
from rooms r left join memberships m on m.room_no = r.room_no and m.user_no = $2
where r.room_id = $1`;

/** Up to which position a caller knows a room already, 0: not at all; and the number of the type m.room.redaction. */
export interface KnownPart {
  readonly upTo: number;
  readonly redactionType: number;
}

/** A room with the reader's own membership; undefined when there is no such room. */
export async function selectRoomForReader(
  db: Queryable,
  roomId: string,
  userNo: number,
  { upTo, redactionType }: KnownPart = { upTo: 0, redactionType: 0 },
): Promise<RoomForReaderRow | undefined> {
  const rows = await db.query<RoomForReaderRow>({
    name: 'rooms_select_for_reader',
    text: FOR_READER,
    values: [roomId, userNo, upTo, redactionType],
  });
  return rows[0];
}

const MEMBERSHIP = `select membership from memberships where room_no = $1 and user_no = $2`;

/** A value of `MembershipRow.membership`; undefined when the user was never in the room. */
export async function selectMembership(db: Queryable, roomNo: number, userNo: number): Promise<number | undefined> {
  const rows = await db.query<{ membership: number }>({
    name: 'memberships_select_one',
    text: MEMBERSHIP,
    values: [roomNo, userNo],
  });
  return rows[0]?.membership;
}

const WITH_UNREAD = `
select m.room_no from memberships m join rooms r on r.room_no = m.room_no
where m.user_no = $1 and m.membership = 1 and r.bump_position > coalesce((
  select max(e.anchor) from receipts x join events e on e.event_no = x.event_no
  where x.room_no = m.room_no and x.user_no = $1 and x.kind in (1, 2) and x.thread = ''
), m.joined_at, m.position)
order by m.room_no`;

/** Rooms that the user is joined to and has perhaps not read to the end. */
export async function selectRoomsWithUnread(db: Queryable, userNo: number): Promise<number[]> {
  const rows = await db.query<{ room_no: number }>({
    name: 'memberships_select_with_unread',
    text: WITH_UNREAD,
    values: [userNo],
  });
  return rows.map((row) => row.room_no);
}

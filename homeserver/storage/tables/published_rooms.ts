/**
 * published_rooms: a row is a room in the public directory. Written by setRoomVisibilityOnDirectory and before a room that
 * is made public, whose number is taken beforehand; readers join `rooms`, so a row without its room shows nothing.
 */
import type { Queryable } from '../database.ts';

const INSERT = `insert into published_rooms (room_no, network) values ($1, '') on conflict do nothing`;

/** Puts a room into this server's directory. */
export async function insertPublishedRoom(db: Queryable, roomNo: number): Promise<void> {
  await db.query({ name: 'published_rooms_insert', text: INSERT, values: [roomNo] });
}

const DELETE = `
delete from published_rooms p where p.room_no = $1 and p.network = ''
  and not exists (select 1 from rooms r where r.room_no = p.room_no)`;

/** Takes a room that was not made out of this server's directory. */
export async function releasePublishedRoom(db: Queryable, roomNo: number): Promise<void> {
  await db.query({ name: 'published_rooms_release', text: DELETE, values: [roomNo] });
}

const DELETE_ONE = `delete from published_rooms where room_no = $1 and network = ''`;

/** Takes a room out of this server's directory. */
export async function deletePublishedRoom(db: Queryable, roomNo: number): Promise<void> {
  await db.query({ name: 'published_rooms_delete', text: DELETE_ONE, values: [roomNo] });
}

const SELECT_ONE = `
select exists (select 1 from published_rooms p where p.room_no = r.room_no and p.network = '') as published
from rooms r where r.room_id = $1`;

/** Whether a room is in this server's directory; undefined when there is no such room. */
export async function selectIsPublished(db: Queryable, roomId: string): Promise<boolean | undefined> {
  const rows = await db.query<{ published: boolean }>({
    name: 'published_rooms_select_one',
    text: SELECT_ONE,
    values: [roomId],
  });
  return rows[0]?.published;
}

const AMONG = `select distinct room_no from published_rooms where room_no = any($1::int8[]) and network = ''`;

/** Which of these rooms are in this server's directory. */
export async function selectPublishedAmong(db: Queryable, roomNos: readonly number[]): Promise<ReadonlySet<number>> {
  const rows = await db.query<{ room_no: number }>({
    name: 'published_rooms_select_among',
    text: AMONG,
    values: [roomNos],
  });
  return new Set(rows.map((row) => row.room_no));
}

const MOVE = `
with gone as (delete from published_rooms where room_no = $1 returning network)
insert into published_rooms (room_no, network) select $2, network from gone on conflict do nothing`;

/** Puts another room in the places that a room has in directories. */
export async function updatePublishedRoom(db: Queryable, fromRoomNo: number, toRoomNo: number): Promise<void> {
  await db.query({ name: 'published_rooms_update_room', text: MOVE, values: [fromRoomNo, toRoomNo] });
}

/** A published room as far as the order of the directory goes. */
export interface PublishedRow {
  room_no: number;
  room_id: string;
  version: number;
  joined: number;
}

/** A place in the directory, whose order is: most members first, then by number. */
export interface DirectoryPlace {
  joined: number;
  roomNo: number;
}

export interface DirectoryPage {
  /** Of one network ('' is the main directory), or undefined for all. */
  network: string | undefined;
  limit: number;
}

// Sorts the whole directory: 10,000 rooms in about 15 ms. Paging by place, so rooms that come and go shift nothing.
const AFTER = `
select r.room_no, r.room_id, r.version, r.joined
from (select distinct room_no from published_rooms where $1::text is null or network = $1) p
join rooms r on r.room_no = p.room_no
where $2::int8 is null or r.joined < $2 or (r.joined = $2 and r.room_no > $3)
order by r.joined desc, r.room_no limit $4`;

/** Published rooms that come after a place, or from the first on. */
export function selectPublishedAfter(
  db: Queryable,
  place: DirectoryPlace | undefined,
  page: DirectoryPage,
): Promise<PublishedRow[]> {
  const values = [page.network ?? null, place?.joined ?? null, place?.roomNo ?? null, page.limit];
  return db.query({ name: 'published_rooms_select_after', text: AFTER, values });
}

const BEFORE = `
select r.room_no, r.room_id, r.version, r.joined
from (select distinct room_no from published_rooms where $1::text is null or network = $1) p
join rooms r on r.room_no = p.room_no
where r.joined > $2 or (r.joined = $2 and r.room_no < $3)
order by r.joined, r.room_no desc limit $4`;

/** Published rooms that come before a place, nearest first. */
export function selectPublishedBefore(
  db: Queryable,
  place: DirectoryPlace,
  page: DirectoryPage,
): Promise<PublishedRow[]> {
  const values = [page.network ?? null, place.joined, place.roomNo, page.limit];
  return db.query({ name: 'published_rooms_select_before', text: BEFORE, values });
}

const COUNT = `
select count(distinct p.room_no)::int8 as count from published_rooms p join rooms r on r.room_no = p.room_no
where $1::text is null or p.network = $1`;

/** How many rooms are published. */
export async function selectPublishedCount(db: Queryable, network: string | undefined): Promise<number> {
  const rows = await db.query<{ count: number }>({
    name: 'published_rooms_select_count',
    text: COUNT,
    values: [network ?? null],
  });
  return rows[0]?.count ?? 0;
}

/**
 * aliases: a row is a room alias of this server. Written by setRoomAlias, by a room's upgrade, and when a room is made with an alias:
 * before the room itself, whose number is taken beforehand. Read to join by alias. A row whose room never came to be leads nowhere and is taken over after a minute.
 */
import type { Queryable } from '../database.ts';

// A minute is three times the longest wait of a write: by then the room is there or will never be.
const CLAIM = `
insert into aliases (alias, room_no, creator_no, created_at)
values ($1, $2, $3, (extract(epoch from clock_timestamp()) * 1000)::int8)
on conflict (alias) do update
set room_no = excluded.room_no, creator_no = excluded.creator_no, created_at = excluded.created_at
where aliases.created_at < excluded.created_at - 60000
  and not exists (select 1 from rooms r where r.room_no = aliases.room_no)
returning alias`;

/** Takes an alias for a room that is about to be made; false when it is taken. */
export async function claimAlias(
  db: Queryable,
  claim: { alias: string; roomNo: number; creatorNo: number },
): Promise<boolean> {
  const values = [claim.alias, claim.roomNo, claim.creatorNo];
  const rows = await db.query({ name: 'aliases_claim', text: CLAIM, values });
  return rows.length === 1;
}

const RELEASE = `
delete from aliases a where a.alias = $1 and a.room_no = $2
  and not exists (select 1 from rooms r where r.room_no = a.room_no)`;

/** Gives up a claim whose room was not made. */
export async function releaseAlias(db: Queryable, alias: string, roomNo: number): Promise<void> {
  await db.query({ name: 'aliases_release', text: RELEASE, values: [alias, roomNo] });
}

const SELECT = `select r.room_id from aliases a join rooms r on r.room_no = a.room_no where a.alias = $1`;

/** The id of the room that an alias leads to. */
export async function selectRoomIdOfAlias(db: Queryable, alias: string): Promise<string | undefined> {
  const rows = await db.query<{ room_id: string }>({ name: 'aliases_select_room', text: SELECT, values: [alias] });
  return rows[0]?.room_id;
}

export interface AliasRow {
  room_no: number;
  room_id: string;
  creator_no: number;
}

const SELECT_ONE = `
select a.room_no, r.room_id, a.creator_no from aliases a join rooms r on r.room_no = a.room_no where a.alias = $1`;

/** Where an alias leads to and who made it. */
export async function selectAlias(db: Queryable, alias: string): Promise<AliasRow | undefined> {
  const rows = await db.query<AliasRow>({
    name: 'aliases_select_one',
    text: SELECT_ONE,
    values: [alias],
  });
  return rows[0];
}

const SELECT_OF_ROOM = `select alias from aliases where room_no = $1 order by alias limit $2`;

/** Aliases that lead to a room, in the order of their letters; at most `limit`. */
export async function selectAliasesOfRoom(db: Queryable, roomNo: number, limit: number): Promise<string[]> {
  const rows = await db.query<{ alias: string }>({
    name: 'aliases_select_of_room',
    text: SELECT_OF_ROOM,
    values: [roomNo, limit],
  });
  return rows.map((row) => row.alias);
}

const DELETE = `delete from aliases where alias = $1 and room_no = $2 returning alias`;

/** False when the alias does not lead there any more. */
export async function deleteAlias(db: Queryable, alias: string, roomNo: number): Promise<boolean> {
  return (await db.query({ name: 'aliases_delete', text: DELETE, values: [alias, roomNo] })).length === 1;
}

const MOVE = `update aliases set room_no = $2 where room_no = $1`;

/** Makes all aliases of a room lead to another one. */
export async function updateAliasesOfRoom(db: Queryable, fromRoomNo: number, toRoomNo: number): Promise<void> {
  await db.query({ name: 'aliases_update_room', text: MOVE, values: [fromRoomNo, toRoomNo] });
}

/**
 * profile_updates: a row is a changed profile that has not yet reached every joined room. Written with the change, worked off
 * by any replica under a claim of limited time; deleted when all rooms have the profile.
 */
import type { Queryable } from '../database.ts';

export interface ProfileUpdateRow {
  user_no: number;
  user_id: string;
  version: number;
  /** Rooms up to and including this number are done. */
  room_no: number;
}

const UPSERT = `
  insert into profile_updates (user_no, version) values ($1, (extract(epoch from clock_timestamp()) * 1000000)::int8)
  on conflict (user_no) do update
  set version = greatest(profile_updates.version + 1, excluded.version), room_no = 0, attempts = 0, claimed_until = 0`;

/** Notes that the user's rooms need the profile, in the transaction of the change. */
export async function upsertProfileUpdate(db: Queryable, userNo: number): Promise<void> {
  await db.query({ name: 'profile_updates_upsert', text: UPSERT, values: [userNo] });
}

// All times here are the database's: clocks of replicas differ.
const UPDATE_CLAIM = `
  update profile_updates p
  set claimed_until = (extract(epoch from clock_timestamp()) * 1000)::int8 + $1
  from users u
  where u.user_no = p.user_no and p.user_no =
    (select q.user_no from profile_updates q
     where q.claimed_until <= (extract(epoch from clock_timestamp()) * 1000)::int8
       and ($2::int8 is null or q.user_no = $2)
     order by q.claimed_until limit 1 for update skip locked)
  returning p.user_no, u.user_id, p.version, p.room_no`;

/** Takes the update that has waited longest (or that of `userNo`) for `claimMs`; undefined when nothing is due. */
export async function updateClaimProfileUpdate(
  db: Queryable,
  claimMs: number,
  userNo?: number,
): Promise<ProfileUpdateRow | undefined> {
  const values = [claimMs, userNo ?? null];
  const rows = await db.query<ProfileUpdateRow>({ name: 'profile_updates_update_claim', text: UPDATE_CLAIM, values });
  return rows[0];
}

const UPDATE_CURSOR = `
  update profile_updates
  set room_no = $3, attempts = 0, claimed_until = (extract(epoch from clock_timestamp()) * 1000)::int8 + $4
  where user_no = $1 and version = $2 returning user_no`;

/** Moves the cursor and prolongs the claim. False when the profile has changed again: begin anew. */
export async function updateProfileCursor(
  db: Queryable,
  update: { userNo: number; version: number; roomNo: number },
  claimMs: number,
): Promise<boolean> {
  const values = [update.userNo, update.version, update.roomNo, claimMs];
  const rows = await db.query({ name: 'profile_updates_update_cursor', text: UPDATE_CURSOR, values });
  return rows.length === 1;
}

const UPDATE_FAILED = `
  update profile_updates
  set attempts = attempts + 1,
      claimed_until = (extract(epoch from clock_timestamp()) * 1000)::int8 + (least(300, 5 * 2 ^ least(attempts, 10)) * 1000)::int8
  where user_no = $1 and version = $2`;

/** Lets the update wait, 5 s at first, doubled each time, at most 5 min. */
export async function updateProfileFailed(db: Queryable, userNo: number, version: number): Promise<void> {
  await db.query({ name: 'profile_updates_update_failed', text: UPDATE_FAILED, values: [userNo, version] });
}

const DELETE = `delete from profile_updates where user_no = $1 and version = $2`;

export async function deleteProfileUpdate(db: Queryable, userNo: number, version: number): Promise<void> {
  await db.query({ name: 'profile_updates_delete', text: DELETE, values: [userNo, version] });
}

import { MatrixError } from '../errors.ts';
import type { GuardResult } from '../pipeline/room-writer.ts';
import type { AuthState } from '../room/auth/check-event.ts';
import { parseRoomId, parseUserId } from '../room/identifiers.ts';
import type { UserId } from '../room/identifiers.ts';
import { isJsonObject, ownObject, type JsonObject } from '../room/json-value.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import { selectJoinedMemberEvents } from '../storage/select-joined-member-events.ts';
import type { JoinedMemberEventRow } from '../storage/select-joined-member-events.ts';
import {
  deleteProfileUpdate,
  updateClaimProfileUpdate,
  updateProfileCursor,
  updateProfileFailed,
} from '../storage/tables/profile_updates.ts';
import type { ProfileUpdateRow } from '../storage/tables/profile_updates.ts';
import type { AccountsContext } from './context.ts';
import { memberProfile } from './profiles.ts';

/** Rooms between two notes of the cursor; they go into the pipeline together. */
const ROOMS_AT_ONCE = 16;
/** Rounds of one claim: 512 rooms, then others get their turn. */
const MAX_ROUNDS = 32;
/** Longer than a round can take, so that two replicas do not do the same; if they do, the second finds nothing to change. */
const CLAIM_MS = 60_000;

/**
 * Brings a changed profile into the member events of the rooms that the user has joined: one claim's worth of the change that has
 * waited longest, or of that of `userNo`. False when there was none. Killed anywhere, another call or replica goes on.
 */
export async function spreadProfile(ctx: AccountsContext, userNo?: number): Promise<boolean> {
  const update = await updateClaimProfileUpdate(ctx.store.db, CLAIM_MS, userNo);
  if (update === undefined) return false;
  try {
    await spread(ctx, update);
  } catch (err) {
    ctx.log.warn({ err, user_id: update.user_id, step: 'spread profile' }, 'will be tried again');
    await updateProfileFailed(ctx.store.db, update.user_no, update.version);
  }
  return true;
}

async function spread(ctx: AccountsContext, update: ProfileUpdateRow): Promise<void> {
  const { user_no: userNo, version } = update;
  const userId = parseUserId(update.user_id);
  if (userId === undefined) throw new Error('profile_updates names no valid user');
  const profile = await memberProfile(ctx, userId);
  let roomNo = update.room_no;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const rooms = await selectJoinedMemberEvents(ctx.store.db, userNo, roomNo, ROOMS_AT_ONCE);
    await Promise.all(rooms.map((room) => sendMemberEvent(ctx, userId, profile, room)));
    const last = rooms.at(-1);
    if (last === undefined || rooms.length < ROOMS_AT_ONCE) {
      await deleteProfileUpdate(ctx.store.db, userNo, version);
      return;
    }
    roomNo = last.room_no;
    if (!(await updateProfileCursor(ctx.store.db, { userNo, version, roomNo }, CLAIM_MS))) return;
  }
  // The rest is for the next claim, at once.
  await updateProfileCursor(ctx.store.db, { userNo, version, roomNo }, 0);
}

async function sendMemberEvent(
  ctx: AccountsContext,
  userId: UserId,
  profile: { displayname?: string; avatar_url?: string },
  room: JoinedMemberEventRow,
): Promise<void> {
  const roomId = parseRoomId(room.room_id);
  const event = parseLooseJson(room.json);
  const before = event.ok && isJsonObject(event.value) ? ownObject(event.value, 'content') : undefined;
  if (roomId === undefined || before === undefined || isCurrent(before, profile)) return;
  const kept = Object.entries(before).filter(([key]) => key !== 'displayname' && key !== 'avatar_url');
  const content: JsonObject = { ...Object.fromEntries(kept), ...profile };
  const guard = { needs: [['m.room.member', userId]] as const, decide: onlyOn(userId, room.event_id) };
  try {
    await ctx.writer.send(roomId, { type: 'm.room.member', stateKey: userId, sender: userId, content, guard });
  } catch (error) {
    // Left, banned or changed meanwhile: then this room needs nothing from us, and a join must not be sent again.
    if (error instanceof MatrixError && (error.code === 'M_FORBIDDEN' || error.code === 'M_NOT_FOUND')) return;
    throw error;
  }
}

function isCurrent(before: JsonObject, profile: { displayname?: string; avatar_url?: string }): boolean {
  return before['displayname'] === profile.displayname && before['avatar_url'] === profile.avatar_url;
}

/** Sends only while the member event that was read is still the one that holds. */
function onlyOn(userId: UserId, eventId: string): (state: AuthState) => GuardResult {
  return (state) => {
    if (state.get('m.room.member', userId)?.eventId === eventId) return { go: true };
    return { go: false, refuse: new MatrixError('M_FORBIDDEN', 'The membership has changed.') };
  };
}

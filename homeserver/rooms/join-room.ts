import { MatrixError } from '../errors.ts';
import { loadRoomHead, type LoadedHead } from '../pipeline/load-room-head.ts';
import { authStateOf } from '../room/auth/auth-state.ts';
import { parseUserId, type RoomId, type UserId } from '../room/identifiers.ts';
import { isJsonObject, ownMember, ownObject, ownString, type JsonObject, type JsonValue } from '../room/json-value.ts';
import { actionLevel, powerLevelsOf, userPowerLevel } from '../room/power-levels.ts';
import { isJoinedToOneOf, selectLocalMembers } from '../storage/room-reads/select-join-grant.ts';
import type { Actor } from './actor.ts';
import { carrySettingsInto } from './carry-settings.ts';
import type { RoomsContext } from './context.ts';
import { memberContent } from './member-content.ts';
import { memberGuard } from './member-guard.ts';

/** A join that a member must grant is tried with so many members: one may leave or lose the power meanwhile. */
const MAX_GRANT_TRIES = 3;
/** Rooms of a join rule that are looked at, and members asked for at once. */
const MAX_ALLOWED_ROOMS = 100;
const MAX_CANDIDATES = 100;

/**
 * Joins a room: a public one, one the user is invited to, or a restricted one whose conditions the user meets. Who is there already
 * stays. `extra` goes into the member event beside what the server says. Settings of the room that it replaces come with the user.
 * Errors: M_NOT_FOUND (no such room), M_FORBIDDEN. Spec: client-server API, "Joining rooms", "Restricted rooms" (v1.19).
 */
export async function joinRoom(
  ctx: RoomsContext,
  actor: Actor,
  room: { roomId: RoomId; reason?: string; extra?: JsonObject },
): Promise<void> {
  const { roomId, reason, extra = {} } = room;
  const [member] = await Promise.all([
    memberContent(ctx, actor.userId, { membership: 'join', reason }),
    carrySettingsInto(ctx, actor, roomId),
  ]);
  const content = { ...extra, ...member };
  try {
    await sendJoin(ctx, actor, { roomId, content });
  } catch (error) {
    if (!(error instanceof MatrixError) || error.code !== 'M_FORBIDDEN') throw error;
    await joinByGrant(ctx, actor, { roomId, content, refusal: error });
  }
}

async function sendJoin(ctx: RoomsContext, actor: Actor, join: { roomId: RoomId; content: JsonObject }): Promise<void> {
  const { userId } = actor;
  const guard = memberGuard(userId, userId, { join: 'stands', ban: { refuse: 'You are banned from this room.' } });
  const draft = { type: 'm.room.member', stateKey: userId, sender: userId, content: join.content, guard };
  await ctx.writer.send(join.roomId, draft);
}

/** A restricted room lets in who is in one of the rooms that it names, if a member with the power to invite stands for it. */
async function joinByGrant(
  ctx: RoomsContext,
  actor: Actor,
  join: { roomId: RoomId; content: JsonObject; refusal: MatrixError },
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const granter = await findGranter(ctx, actor, join.roomId);
    if (granter === undefined) throw join.refusal;
    try {
      await sendJoin(ctx, actor, { ...join, content: { ...join.content, join_authorised_via_users_server: granter } });
      return;
    } catch (error) {
      const refused = error instanceof MatrixError && error.code === 'M_FORBIDDEN';
      if (!refused || attempt === MAX_GRANT_TRIES) throw error;
    }
  }
}

async function findGranter(ctx: RoomsContext, actor: Actor, roomId: RoomId): Promise<UserId | undefined> {
  const head = await loadRoomHead(ctx.store, roomId, [
    ['m.room.create', ''],
    ['m.room.join_rules', ''],
    ['m.room.power_levels', ''],
  ]);
  if (head === undefined) return undefined;
  const allowed = allowedRooms(head);
  if (allowed.length === 0 || !(await isJoinedToOneOf(ctx.store.db, actor.userNo, allowed))) return undefined;
  return memberWhoMayInvite(ctx, head);
}

/** Rooms whose members may join, as the join rule names them. */
function allowedRooms(head: LoadedHead): string[] {
  const content = stateOf(head).get('m.room.join_rules', '')?.content ?? {};
  const rule = ownString(content, 'join_rule');
  const allow = ownMember(content, 'allow');
  if ((rule !== 'restricted' && rule !== 'knock_restricted') || !Array.isArray(allow)) return [];
  const conditions: readonly JsonValue[] = allow;
  return conditions.slice(0, MAX_ALLOWED_ROOMS).flatMap((condition) => {
    if (!isJsonObject(condition) || ownString(condition, 'type') !== 'm.room_membership') return [];
    return ownString(condition, 'room_id') ?? [];
  });
}

async function memberWhoMayInvite(ctx: RoomsContext, head: LoadedHead): Promise<UserId | undefined> {
  const levels = powerLevelsOf(stateOf(head), head.rules);
  const required = actionLevel(levels, 'invite');
  const named = [...levels.creators, ...Object.keys(ownObject(levels.content ?? {}, 'users') ?? {})];
  const able = named.filter((userId) => userPowerLevel(levels, userId) >= required);
  const anybody = userPowerLevel(levels, '') >= required;
  const members = await selectLocalMembers(ctx.store.db, head.roomNo, {
    anybody,
    userIds: able,
    limit: MAX_CANDIDATES,
  });
  return parseUserId(members.find((userId) => userPowerLevel(levels, userId) >= required) ?? '');
}

function stateOf(head: LoadedHead) {
  return authStateOf(head.found.map((entry) => entry.event));
}

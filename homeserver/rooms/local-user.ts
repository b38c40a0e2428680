import { MatrixError } from '../errors.ts';
import { parseUserId, serverNameOf, type UserId } from '../room/identifiers.ts';
import { selectGlobalDataOfUsers } from '../storage/room-reads/select-global-data.ts';
import type { RoomsContext } from './context.ts';
import { blocksInvites, INVITE_PERMISSION } from './invite-permission.ts';

/** The user id in a request. Errors: M_INVALID_PARAM. */
export function userIdOf(text: string): UserId {
  const userId = parseUserId(text);
  if (userId === undefined)
    throw new MatrixError('M_INVALID_PARAM', `${text.slice(0, 64)} is not a user id: @name:server is allowed.`);
  return userId;
}

/**
 * Refuses to invite users whom the invite would never reach, and those who want none. Errors: M_FORBIDDEN, M_INVITE_BLOCKED. Spec:
 * client-server API, "Invite permission" (v1.19).
 */
export async function requireInvitable(ctx: RoomsContext, userIds: readonly UserId[]): Promise<void> {
  if (userIds.length === 0) return;
  const foreign = userIds.find((userId) => serverNameOf(userId) !== ctx.config.serverName);
  if (foreign !== undefined)
    throw new MatrixError('M_FORBIDDEN', `${foreign} cannot be invited: this server does not reach other servers.`);
  const permissions = await selectGlobalDataOfUsers(ctx.store.db, userIds, INVITE_PERMISSION);
  const blocking = permissions.find(({ content }) => blocksInvites(content));
  if (blocking !== undefined) throw new MatrixError('M_INVITE_BLOCKED', `${blocking.user_id} accepts no invites.`);
}

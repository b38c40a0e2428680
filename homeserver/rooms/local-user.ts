import { MatrixError } from '../errors.ts';
import { parseUserId, serverNameOf, type UserId } from '../room/identifiers.ts';
import type { RoomsContext } from './context.ts';

/** The user id in a request. Errors: M_INVALID_PARAM. */
export function userIdOf(text: string): UserId {
  const userId = parseUserId(text);
  if (userId === undefined)
    throw new MatrixError('M_INVALID_PARAM', `${text.slice(0, 64)} is not a user id: @name:server is allowed.`);
  return userId;
}

/** Refuses to invite a user whom the invite would never reach. Errors: M_FORBIDDEN. */
export function requireInvitable(ctx: RoomsContext, userId: UserId): void {
  if (serverNameOf(userId) === ctx.config.serverName) return;
  throw new MatrixError('M_FORBIDDEN', `${userId} cannot be invited: this server does not reach other servers.`);
}

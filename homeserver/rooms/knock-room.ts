import type { RoomId } from '../room/identifiers.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';
import { memberContent } from './member-content.ts';
import { memberGuard } from './member-guard.ts';

/**
 * Asks to be let into a room. Errors: M_NOT_FOUND (no such room), M_FORBIDDEN (no knocking there, banned, invited or inside already).
 * Spec: client-server API, "Knocking on rooms" (v1.19).
 */
export async function knockRoom(
  ctx: RoomsContext,
  actor: Actor,
  room: { roomId: RoomId; reason?: string },
): Promise<void> {
  const { userId } = actor;
  const content = await memberContent(ctx, userId, { membership: 'knock', reason: room.reason });
  const guard = memberGuard(userId, userId, { knock: 'stands' });
  await ctx.writer.send(room.roomId, { type: 'm.room.member', stateKey: userId, sender: userId, content, guard });
}

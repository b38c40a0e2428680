import type { RoomId, UserId } from '../room/identifiers.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';
import { hideUnknownRoom } from './known-room.ts';
import { requireInvitable } from './local-user.ts';
import { memberContent } from './member-content.ts';
import { memberGuard } from './member-guard.ts';

/**
 * Invites a user; one who is invited already stays so. Errors: M_FORBIDDEN (inviter not in the room or without the power, invitee
 * there already, banned, or of another server), M_INVITE_BLOCKED. Spec: client-server API, "Joining rooms" (v1.19).
 */
export async function inviteUser(
  ctx: RoomsContext,
  actor: Actor,
  invite: { roomId: RoomId; userId: UserId; reason?: string },
): Promise<void> {
  const { roomId, userId, reason } = invite;
  await requireInvitable(ctx, [userId]);
  const content = await memberContent(ctx, userId, { membership: 'invite', reason });
  const guard = memberGuard(actor.userId, userId, {
    invite: 'stands',
    join: { refuse: `${userId} is in the room already.` },
  });
  await hideUnknownRoom(
    ctx.writer.send(roomId, { type: 'm.room.member', stateKey: userId, sender: actor.userId, content, guard }),
  );
}

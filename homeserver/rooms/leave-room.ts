import type { RoomId } from '../room/identifiers.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';
import { hideUnknownRoom } from './known-room.ts';
import { plainContent } from './member-content.ts';
import { memberGuard } from './member-guard.ts';
import { refuseRejecting } from './refuse-rejecting.ts';

/**
 * Leaves a room, rejects an invite or takes back a knock; done before is done. Errors: M_FORBIDDEN (never been there, or banned),
 * M_CANNOT_LEAVE_SERVER_NOTICE_ROOM.
 * Spec: client-server API, "Leaving rooms" (v1.19).
 */
export async function leaveRoom(
  ctx: RoomsContext,
  actor: Actor,
  room: { roomId: RoomId; reason?: string },
): Promise<void> {
  const { userId } = actor;
  await refuseRejecting(ctx, actor, room.roomId);
  const guard = memberGuard(userId, userId, {
    leave: 'stands',
    none: { refuse: 'You are not in this room.' },
    ban: { refuse: 'You are banned from this room.' },
  });
  const content = plainContent({ membership: 'leave', reason: room.reason });
  await hideUnknownRoom(
    ctx.writer.send(room.roomId, { type: 'm.room.member', stateKey: userId, sender: userId, content, guard }),
  );
}

import { MatrixError } from '../errors.ts';
import type { RoomId } from '../room/identifiers.ts';
import { selectIsInvitedToNotices } from '../storage/tables/server_notice_rooms.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';

/**
 * The invite to the room of the server's notices cannot be rejected; who has joined may leave. Errors:
 * M_CANNOT_LEAVE_SERVER_NOTICE_ROOM. Spec: client-server API, "Server Notices" (v1.19).
 */
export async function refuseRejecting(ctx: RoomsContext, actor: Actor, roomId: RoomId): Promise<void> {
  if (!(await selectIsInvitedToNotices(ctx.store.db, actor.userNo, roomId))) return;
  throw new MatrixError('M_CANNOT_LEAVE_SERVER_NOTICE_ROOM');
}

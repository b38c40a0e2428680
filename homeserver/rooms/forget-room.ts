import { MatrixError } from '../errors.ts';
import type { RoomId } from '../room/identifiers.ts';
import { forgetMembership } from '../storage/room-reads/forget-membership.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';

/** Forgets a room that the user has left or is banned from. Errors: M_UNKNOWN with 400. Spec: "Leaving rooms" (v1.19). */
export async function forgetRoom(ctx: RoomsContext, actor: Actor, roomId: RoomId): Promise<void> {
  if (await forgetMembership(ctx.store.db, roomId, actor.userNo)) return;
  throw new MatrixError('M_UNKNOWN', 'Only a room that you have left can be forgotten.', { status: 400 });
}

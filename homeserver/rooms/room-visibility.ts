import { MatrixError } from '../errors.ts';
import type { RoomId } from '../room/identifiers.ts';
import { deletePublishedRoom, insertPublishedRoom, selectIsPublished } from '../storage/tables/published_rooms.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';
import { actorInRoom } from './room-power.ts';

export type RoomVisibility = 'public' | 'private';

/** Whether a room is in this server's directory. Errors: M_NOT_FOUND. */
export async function readRoomVisibility(ctx: RoomsContext, roomId: RoomId): Promise<RoomVisibility> {
  const published = await selectIsPublished(ctx.store.db, roomId);
  if (published === undefined) throw notFound();
  return published ? 'public' : 'private';
}

/**
 * Puts a room into this server's directory or takes it out: for those who may set the room's canonical alias. Errors: M_NOT_FOUND,
 * M_FORBIDDEN. Spec: client-server API, "setRoomVisibilityOnDirectory" (v1.19).
 */
export async function setRoomVisibility(
  ctx: RoomsContext,
  actor: Actor,
  wanted: { roomId: RoomId; visibility: RoomVisibility },
): Promise<void> {
  const inRoom = await actorInRoom(ctx, actor, wanted.roomId);
  if (inRoom === undefined) throw notFound();
  if (!inRoom.maySet('m.room.canonical_alias'))
    throw new MatrixError('M_FORBIDDEN', 'Only those who may set the canonical alias can publish the room.');
  const change = wanted.visibility === 'public' ? insertPublishedRoom : deletePublishedRoom;
  await change(ctx.store.db, inRoom.head.roomNo);
}

function notFound(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'There is no such room here.');
}

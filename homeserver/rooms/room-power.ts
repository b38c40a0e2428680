import { MatrixError } from '../errors.ts';
import { loadRoomHead, type LoadedHead } from '../pipeline/load-room-head.ts';
import type { StateName } from '../pipeline/room-writer.ts';
import { authStateOf } from '../room/auth/auth-state.ts';
import type { RoomId } from '../room/identifiers.ts';
import { powerLevelsOf, requiredFor, userPowerLevel } from '../room/power-levels.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';

/** A room with what its state says of one user. */
export interface ActorInRoom {
  readonly head: LoadedHead;
  readonly isJoined: boolean;
  /** Whether the user has the power to set state of that type. */
  maySet(type: string): boolean;
}

/** Looks up what a user may do in a room in one query, with further state entries in `head`; undefined for an unknown room. */
export async function actorInRoom(
  ctx: RoomsContext,
  actor: Actor,
  roomId: RoomId,
  more: readonly StateName[] = [],
): Promise<ActorInRoom | undefined> {
  const head = await loadRoomHead(ctx.store, roomId, [
    ['m.room.create', ''],
    ['m.room.power_levels', ''],
    ['m.room.member', actor.userId],
    ...more,
  ]);
  if (head === undefined) return undefined;
  const state = authStateOf(head.found.map((entry) => entry.event));
  const levels = powerLevelsOf(state, head.rules);
  const isJoined = state.get('m.room.member', actor.userId)?.content['membership'] === 'join';
  const maySet = (type: string) =>
    isJoined && userPowerLevel(levels, actor.userId) >= requiredFor(levels, { type, stateKey: '' });
  return { head, isJoined, maySet };
}

/** The same for somebody who must be joined. Errors: M_FORBIDDEN, also for an unknown room. */
export async function joinedActor(
  ctx: RoomsContext,
  actor: Actor,
  roomId: RoomId,
  more: readonly StateName[] = [],
): Promise<ActorInRoom> {
  const found = await actorInRoom(ctx, actor, roomId, more);
  if (found?.isJoined === true) return found;
  throw new MatrixError('M_FORBIDDEN', 'You are not in this room.');
}

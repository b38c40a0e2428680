import { MatrixError } from '../errors.ts';
import type { RoomId, UserId } from '../room/identifiers.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';
import { hideUnknownRoom } from './known-room.ts';
import { plainContent } from './member-content.ts';
import { memberGuard, type MemberRule } from './member-guard.ts';

/** Whom to remove from which room, and why. */
export interface Removal {
  readonly roomId: RoomId;
  readonly userId: UserId;
  readonly reason?: string;
}

const NOT_INSIDE = { refuse: 'The user is not in this room.' };
const NOT_BANNED = { refuse: 'The user is not banned from this room.' };

/**
 * Removes somebody from a room, or takes back an invite. Errors: M_FORBIDDEN (not there, or no power to).
 * Spec: client-server API, "Kicking users" (v1.19).
 */
export async function kickUser(ctx: RoomsContext, actor: Actor, removal: Removal): Promise<void> {
  const rule = { none: NOT_INSIDE, leave: NOT_INSIDE, ban: NOT_INSIDE };
  if (actor.userId === removal.userId)
    throw new MatrixError('M_FORBIDDEN', 'Leave the room instead of kicking yourself.');
  await setMembership(ctx, actor, { ...removal, membership: 'leave', rule });
}

/** Bans somebody, whether in the room or not; done before is done. Errors: M_FORBIDDEN. Spec: "Banning users in a room". */
export async function banUser(ctx: RoomsContext, actor: Actor, removal: Removal): Promise<void> {
  await setMembership(ctx, actor, { ...removal, membership: 'ban', rule: { ban: 'stands' } });
}

/** Lifts a ban. Errors: M_FORBIDDEN (not banned, or no power to). Spec: "Banning users in a room". */
export async function unbanUser(ctx: RoomsContext, actor: Actor, removal: Removal): Promise<void> {
  const rule = { none: NOT_BANNED, leave: NOT_BANNED, join: NOT_BANNED, invite: NOT_BANNED, knock: NOT_BANNED };
  await setMembership(ctx, actor, { ...removal, membership: 'leave', rule });
}

async function setMembership(
  ctx: RoomsContext,
  actor: Actor,
  change: Removal & { membership: 'leave' | 'ban'; rule: MemberRule },
): Promise<void> {
  const { roomId, userId, rule } = change;
  const draft = { type: 'm.room.member', stateKey: userId, sender: actor.userId, content: plainContent(change) };
  await hideUnknownRoom(ctx.writer.send(roomId, { ...draft, guard: memberGuard(actor.userId, userId, rule) }));
}

import { MatrixError } from '../errors.ts';
import type { DraftGuard, GuardResult } from '../pipeline/room-writer.ts';
import { canonicalJson, CanonicalJsonError } from '../room/canonical-json.ts';
import { parseRoomId, type EventId, type RoomId, type UserId } from '../room/identifiers.ts';
import { ownMember, ownString, type JsonObject } from '../room/json-value.ts';
import { isRedacted } from '../storage/room-reads/select-redaction-target.ts';
import type { Actor } from './actor.ts';
import { checkCanonicalAlias } from './canonical-alias.ts';
import { carrySettingsInto } from './carry-settings.ts';
import type { RoomsContext } from './context.ts';
import { hideUnknownRoom } from './known-room.ts';
import { requireInvitable, userIdOf } from './local-user.ts';
import { refuseRejecting } from './refuse-rejecting.ts';
import { joinedActor } from './room-power.ts';

/** A state event that a client sets. */
export interface StateChange {
  readonly roomId: RoomId;
  readonly type: string;
  readonly stateKey: string;
  readonly content: JsonObject;
}

/**
 * Sets a state event; what is there already, by the same sender with the same content, stays and is given back. Errors: M_FORBIDDEN,
 * M_TOO_LARGE, M_BAD_JSON, M_INVITE_BLOCKED, M_INVALID_PARAM and M_BAD_ALIAS (canonical alias). Spec: client-server API,
 * "setRoomStateWithKey" (v1.19).
 */
export async function setState(ctx: RoomsContext, actor: Actor, change: StateChange): Promise<EventId> {
  const { roomId, type, stateKey } = change;
  if (type === 'm.room.create') await refuseCreate(ctx, actor, roomId);
  if (type === 'm.room.member') await prepareMembership(ctx, actor, change);
  const content = grantsItself(change) ? withoutGrant(change.content) : change.content;
  if (type === 'm.room.canonical_alias' && stateKey === '') await checkCanonicalAlias(ctx, roomId, content);
  const draft = { type, stateKey, content, sender: actor.userId };
  const guard = setStateGuard(actor.userId, change);
  const sent = await hideUnknownRoom(ctx.writer.send(roomId, { ...draft, guard }));
  // What stands there may have been redacted since: then it is set anew.
  const isGone = sent.position <= 0 && (await isRedacted(ctx.store.db, sent.eventId));
  const { eventId } = isGone ? await hideUnknownRoom(ctx.writer.send(roomId, draft)) : sent;
  if (type === 'm.room.tombstone' && stateKey === '') await settleInReplacement(ctx, actor, content);
  return eventId;
}

/** Whatever the power: that there is one already is a fault of the request. */
async function refuseCreate(ctx: RoomsContext, actor: Actor, roomId: RoomId): Promise<never> {
  await joinedActor(ctx, actor, roomId);
  throw new MatrixError('M_INVALID_PARAM', 'eventType: a room has one m.room.create, which made it.');
}

/** Who upgrades a room without `/upgrade` is in the new one before the old one names it, and never joins it afterwards. */
async function settleInReplacement(ctx: RoomsContext, actor: Actor, tombstone: JsonObject): Promise<void> {
  const replacement = parseRoomId(ownString(tombstone, 'replacement_room') ?? '');
  if (replacement !== undefined) await carrySettingsInto(ctx, actor, replacement);
}

/** What the endpoints for memberships do beside sending the event holds here too. */
async function prepareMembership(ctx: RoomsContext, actor: Actor, change: StateChange): Promise<void> {
  const { roomId, stateKey, content } = change;
  const membership = ownString(content, 'membership');
  if (membership === 'invite') await requireInvitable(ctx, [userIdOf(stateKey)]);
  if (stateKey !== actor.userId) return;
  if (membership === 'leave') await refuseRejecting(ctx, actor, roomId);
  if (membership === 'join') await carrySettingsInto(ctx, actor, roomId);
}

function setStateGuard(sender: UserId, change: StateChange): DraftGuard {
  const { type, stateKey, content } = change;
  const isMember = type === 'm.room.member';
  const wanted = canonicalContent(isMember ? withoutGrant(content) : content);
  return {
    needs: [
      [type, stateKey],
      ['m.room.member', sender],
    ],
    decide: (state): GuardResult => {
      const present = state.get(type, stateKey);
      if (grantsItself(change) && present?.content['membership'] !== 'join') return { go: false, refuse: ungranted() };
      const joined = state.get('m.room.member', sender)?.content['membership'] === 'join';
      if (!joined || present?.sender !== sender) return { go: true };
      const same = canonicalJson(isMember ? withoutGrant(present.content) : present.content) === wanted;
      return same ? { go: false, stands: present.eventId } : { go: true };
    },
  };
}

/**
 * Naming a member who grants the join to a restricted room is the server's to do, once it has looked at the room's conditions: the auth
 * rules look at the grant alone. Who is inside already needs none: what they name is left out.
 */
function grantsItself({ type, content }: StateChange): boolean {
  return type === 'm.room.member' && ownMember(content, 'join_authorised_via_users_server') !== undefined;
}

function withoutGrant(content: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(content).filter(([key]) => key !== 'join_authorised_via_users_server'));
}

function ungranted(): MatrixError {
  return new MatrixError('M_FORBIDDEN', 'join_authorised_via_users_server: is for the server to set, by /join.');
}

function canonicalContent(content: JsonObject): string {
  try {
    return canonicalJson(content);
  } catch (error) {
    if (error instanceof CanonicalJsonError) throw new MatrixError('M_BAD_JSON', error.message, { cause: error });
    throw error;
  }
}

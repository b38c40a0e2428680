import { MatrixError } from '../errors.ts';
import { parseEventId, type EventId, type RoomId } from '../room/identifiers.ts';
import { ownObject, ownString, type JsonObject } from '../room/json-value.ts';
import { hasAnnotation, hasRelation } from '../storage/room-reads/select-annotation.ts';
import { selectTransactionEvent } from '../storage/room-reads/select-transaction.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';
import { hideUnknownRoom } from './known-room.ts';
import { redactEvent } from './redact-event.ts';

/** A message event that a client sends. */
export interface Message {
  readonly roomId: RoomId;
  readonly type: string;
  readonly content: JsonObject;
  readonly txnId: string;
}

/**
 * Sends an event that is not state; the same transaction id gives the same event. Errors: M_FORBIDDEN, M_TOO_LARGE, M_BAD_JSON,
 * M_DUPLICATE_ANNOTATION, M_UNKNOWN with 400 (a thread off an event that relates to another), and for redactions those of `redactEvent`. Spec: client-server API, "Sending events to a room" (v1.19).
 */
export async function sendEvent(ctx: RoomsContext, actor: Actor, message: Message): Promise<EventId> {
  const { roomId, type, content, txnId } = message;
  if (type === 'm.room.redaction') return sendRedaction(ctx, actor, message);
  const repeated = await repeatedAnnotation(ctx, actor, message);
  if (repeated !== undefined) return repeated;
  await checkThreadRoot(ctx, content);
  const transaction = { deviceNo: actor.deviceNo, txnId };
  const draft = { type, content, sender: actor.userId, transaction };
  return (await hideUnknownRoom(ctx.writer.send(roomId, draft))).eventId;
}

/** In the room versions before 11 `redacts` moves from the content to the top level, which the pipeline does. */
async function sendRedaction(ctx: RoomsContext, actor: Actor, message: Message): Promise<EventId> {
  const target = parseEventId(ownString(message.content, 'redacts') ?? '');
  if (target === undefined) throw new MatrixError('M_INVALID_PARAM', 'redacts: an event id is required');
  return redactEvent(ctx, actor, { ...message, target });
}

/**
 * A user reacts to an event with a key once. The event of this same request is given again; errors: M_DUPLICATE_ANNOTATION for
 * another one. Spec: client-server API, "Avoiding duplicate annotations" (v1.19).
 */
async function repeatedAnnotation(ctx: RoomsContext, actor: Actor, message: Message): Promise<EventId | undefined> {
  const { roomId, type, content, txnId } = message;
  const relation = ownObject(content, 'm.relates_to') ?? {};
  const key = ownString(relation, 'key');
  const parentId = ownString(relation, 'event_id');
  if (ownString(relation, 'rel_type') !== 'm.annotation' || key === undefined || parentId === undefined)
    return undefined;
  // A type that is not known yet has no annotations, and looking must not make it known.
  const typeNo = await ctx.store.names.findTypeNo(type);
  if (typeNo === undefined) return undefined;
  if (!(await hasAnnotation(ctx.store.db, { parentId, key, senderNo: actor.userNo, typeNo }))) return undefined;
  const name = { deviceNo: actor.deviceNo, txnId, roomId, type };
  const standing = await selectTransactionEvent(ctx.store.db, name);
  if (standing === undefined) throw new MatrixError('M_DUPLICATE_ANNOTATION');
  return parseEventId(standing.event_id);
}

/** Threads do not nest. Spec: client-server API, "Validation of `m.thread` relationships" (v1.19). */
async function checkThreadRoot(ctx: RoomsContext, content: JsonObject): Promise<void> {
  const relation = ownObject(content, 'm.relates_to') ?? {};
  const root = ownString(relation, 'event_id');
  if (ownString(relation, 'rel_type') !== 'm.thread' || root === undefined) return;
  if (!(await hasRelation(ctx.store.db, root))) return;
  throw new MatrixError('M_UNKNOWN', 'A thread cannot start from an event that relates to another.', { status: 400 });
}

import { MatrixError } from '../errors.ts';
import type { DraftGuard, GuardResult } from '../pipeline/room-writer.ts';
import type { EventId, RoomId, UserId } from '../room/identifiers.ts';
import type { JsonObject } from '../room/json-value.ts';
import { actionLevel, powerLevelsOf, userPowerLevel } from '../room/power-levels.ts';
import { selectSenderOf } from '../storage/room-reads/select-redaction-target.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';
import { hideUnknownRoom } from './known-room.ts';

/** What is to be redacted. */
export interface Redaction {
  readonly roomId: RoomId;
  readonly target: EventId;
  /** Content of the m.room.redaction event; `redacts` in it is set or removed as the room version wants. */
  readonly content: JsonObject;
  readonly txnId: string;
}

/**
 * Redacts one's own event, or another's with the power to. Errors: M_FORBIDDEN, M_NOT_FOUND (the room has no such event).
 * Spec: client-server API, "Redactions" (v1.19).
 */
export async function redactEvent(ctx: RoomsContext, actor: Actor, redaction: Redaction): Promise<EventId> {
  const { roomId, target, content, txnId } = redaction;
  const author = await selectSenderOf(ctx.store.db, target, roomId);
  const draft = {
    type: 'm.room.redaction',
    content,
    sender: actor.userId,
    redacts: target,
    transaction: { deviceNo: actor.deviceNo, txnId },
    guard: redactionGuard(actor.userId, author),
  };
  return (await hideUnknownRoom(ctx.writer.send(roomId, draft))).eventId;
}

/**
 * The auth rules let a redaction in whatever it names; whether it takes effect is decided by the power of its sender, so one without
 * effect is refused here. `author` is undefined when the room has no such event, which only members get to know.
 */
function redactionGuard(sender: UserId, author: string | undefined): DraftGuard {
  return {
    needs: [
      ['m.room.create', ''],
      ['m.room.power_levels', ''],
      ['m.room.member', sender],
    ],
    decide: (state, rules): GuardResult => {
      if (author === sender || state.get('m.room.member', sender)?.content['membership'] !== 'join')
        return { go: true };
      if (author === undefined) return refuse(new MatrixError('M_NOT_FOUND', 'The room has no such event.'));
      const levels = powerLevelsOf(state, rules);
      if (userPowerLevel(levels, sender) >= actionLevel(levels, 'redact')) return { go: true };
      return refuse(new MatrixError('M_FORBIDDEN', "You may not redact other users' events here."));
    },
  };
}

function refuse(error: MatrixError): GuardResult {
  return { go: false, refuse: error };
}

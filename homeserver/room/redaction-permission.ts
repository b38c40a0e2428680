import type { RoomEvent } from './event-format.ts';
import { serverNameOf } from './identifiers.ts';
import { actionLevel, userPowerLevel, type PowerLevels } from './power-levels.ts';

/**
 * Whether a redaction that the auth rules let in also takes effect on its target; `levels` are those before the
 * redaction. In room versions 1 and 2 the auth rules have judged that already.
 *
 * Spec: room version 1, rule 11; room version 3, "Handling redactions".
 */
export function redactionApplies(redaction: RoomEvent, target: RoomEvent, levels: PowerLevels): boolean {
  if (redaction.redacts !== target.eventId || redaction.roomId !== target.roomId) return false;
  return mayRedactAll(redaction, levels) || serverNameOf(redaction.sender) === serverNameOf(target.sender);
}

/** Whether it takes effect on whatever event of the room it names; else on what its own server has sent. */
export function mayRedactAll({ sender }: RoomEvent, levels: PowerLevels): boolean {
  return levels.rules.redactionsInAuthRules || userPowerLevel(levels, sender) >= actionLevel(levels, 'redact');
}

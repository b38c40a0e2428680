import type { RoomEvent } from '../event-format.ts';
import { serverNameOf, serverNameOfEvent } from '../identifiers.ts';
import { ownMember } from '../json-value.ts';
import { actionLevel, powerLevelsOf, requiredFor, userPowerLevel, type PowerLevels } from '../power-levels.ts';
import type { RoomVersionRules } from '../room-versions.ts';
import { ALLOWED, deny, type AuthResult } from './auth-result.ts';
import type { AuthState } from './auth-state.ts';
import { checkCreate } from './check-create.ts';
import { checkMember } from './check-member.ts';
import { checkPowerLevels } from './check-power-levels.ts';
import { membershipIn } from './membership.ts';

export type { AuthResult } from './auth-result.ts';
export type { AuthState } from './auth-state.ts';

/**
 * Whether a room's rules let an event in, judged by a state that holds at least what `authStateKeys` names. Rules about
 * the auth_events themselves are in `checkAuthEvents`; signatures are checked before (`requiredSigners`).
 *
 * Spec: room versions, "Authorisation rules". Numbers in comments are those of version 12, see `AUTH_RULES`.
 */
export function checkEvent(event: RoomEvent, state: AuthState, rules: RoomVersionRules): AuthResult {
  // Rule 1.
  if (event.type === 'm.room.create') return checkCreate(event, rules);
  const create = state.get('m.room.create', '');
  // Rule 2 (before version 12: rules 2.4 and 2.5).
  if (create === undefined) return deny('room.no_create');
  if (create.roomId !== event.roomId) return deny('room.other_room');
  // Rule 4.
  if (!mayFederate(event, create)) return deny('room.not_federated');
  // Rule 4 of versions 1 to 5.
  if (event.type === 'm.room.aliases' && rules.aliasesByServer) return checkAliases(event);
  // Rule 5.
  if (event.type === 'm.room.member') return checkMember({ event, state, create, rules });
  // Rule 6.
  if (membershipIn(state, event.sender) !== 'join') return deny('sender.not_joined');
  return checkByPower(event, state, rules);
}

function mayFederate(event: RoomEvent, create: RoomEvent): boolean {
  return (
    ownMember(create.content, 'm.federate') !== false || serverNameOf(event.sender) === serverNameOf(create.sender)
  );
}

/** A server's list of aliases: its sender need not be in the room. */
function checkAliases(event: RoomEvent): AuthResult {
  if (event.stateKey === undefined) return deny('aliases.no_state_key');
  return event.stateKey === serverNameOf(event.sender) ? ALLOWED : deny('aliases.foreign_server');
}

function checkByPower(event: RoomEvent, state: AuthState, rules: RoomVersionRules): AuthResult {
  const levels = powerLevelsOf(state, rules);
  // Rule 7.
  if (event.type === 'm.room.third_party_invite') return checkThirdPartyInviteEvent(event, levels);
  // Rule 8.
  const power = userPowerLevel(levels, event.sender);
  const required = requiredFor(levels, event);
  if (required > power) return deny('event.too_little_power', `${event.type} needs ${required}, has ${power}`);
  // Rule 9.
  if (event.stateKey?.startsWith('@') === true && event.stateKey !== event.sender) {
    return deny('event.foreign_state_key');
  }
  // Rule 10.
  if (event.type === 'm.room.power_levels') return checkPowerLevels(event, state, rules);
  // Rule 11 of versions 1 and 2; otherwise allow.
  return event.type === 'm.room.redaction' && rules.redactionsInAuthRules ? checkRedaction(event, levels) : ALLOWED;
}

/** Events are told apart by the server that named them, not by their senders. */
function checkRedaction(event: RoomEvent, levels: PowerLevels): AuthResult {
  if (userPowerLevel(levels, event.sender) >= actionLevel(levels, 'redact')) return ALLOWED;
  const target = event.redacts === undefined ? undefined : serverNameOfEvent(event.redacts);
  const sameServer = target !== undefined && target === serverNameOfEvent(event.eventId);
  return sameServer ? ALLOWED : deny('redaction.may_not_redact');
}

/** Rule 7.1: the invite level alone decides. */
function checkThirdPartyInviteEvent(event: RoomEvent, levels: PowerLevels): AuthResult {
  return userPowerLevel(levels, event.sender) >= actionLevel(levels, 'invite')
    ? ALLOWED
    : deny('third_party_invite.too_little_power');
}

import type { RoomEvent } from '../event-format.ts';
import type { RoomVersionRules } from '../room-versions.ts';
import { ALLOWED, deny, type AuthResult } from './auth-result.ts';
import { authEventKeys } from './select-auth-events.ts';

/** One of the events that an event lists in `auth_events`. */
export interface CitedEvent {
  readonly event: RoomEvent;
  /** It failed the checks when it was received. */
  readonly rejected: boolean;
}

/**
 * Whether an event cites the auth events that it should; `cited` are those of its `auth_events`, all of them.
 *
 * Spec: room version 12, "Authorisation rules", rule 3 (rule 2 before version 12).
 */
export function checkAuthEvents(event: RoomEvent, cited: readonly CitedEvent[], rules: RoomVersionRules): AuthResult {
  // Rule 1 ends the checks for m.room.create.
  if (event.type === 'm.room.create') return ALLOWED;
  const names = cited.map(({ event: auth }) => nameOf(auth.type, auth.stateKey));
  // 3.1
  if (new Set(names).size !== names.length) return deny('auth_events.duplicate');
  // 3.2
  const expected = new Set(authEventKeys(event, rules).map(([type, stateKey]) => nameOf(type, stateKey)));
  if (names.some((name) => !expected.has(name))) return deny('auth_events.unexpected');
  // 3.3
  if (cited.some(({ rejected }) => rejected)) return deny('auth_events.rejected');
  // 2.4 before version 12
  if (rules.createInAuthEvents && !names.includes(nameOf('m.room.create', ''))) return deny('auth_events.no_create');
  // 3.5
  if (cited.some(({ event: auth }) => auth.roomId !== event.roomId)) return deny('auth_events.other_room');
  return ALLOWED;
}

/** NUL cannot stand in either part, so no two entries share a name; a message event never equals a state entry. */
function nameOf(type: string, stateKey: string | undefined): string {
  return stateKey === undefined ? type : `${type}\0${stateKey}`;
}

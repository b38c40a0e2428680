import type { RoomEvent } from '../event-format.ts';
import { parseUserId, serverNameOf } from '../identifiers.ts';
import { ownMember, type JsonValue } from '../json-value.ts';
import { ROOM_VERSIONS, type RoomVersionRules } from '../room-versions.ts';
import { ALLOWED, deny, type AuthResult } from './auth-result.ts';

/** Rule 1: the event that makes a room. */
export function checkCreate(event: RoomEvent, rules: RoomVersionRules): AuthResult {
  // 1.1
  if (event.prevEvents.length > 0) return deny('create.has_prev_events');
  // 1.2
  const badRoomId = checkRoomId(event, rules);
  if (badRoomId !== undefined) return badRoomId;
  // 1.3
  const version = ownMember(event.content, 'room_version');
  if (version !== undefined && !isKnownVersion(version)) return deny('create.unknown_version');
  // 1.4 before version 11: `creator` must be there, of whatever value.
  if (rules.creators === 'content-creator' && ownMember(event.content, 'creator') === undefined) {
    return deny('create.no_creator');
  }
  // 1.4 of version 12; 1.5: allow.
  return rules.creators === 'sender-and-additional' && !isUserIdList(ownMember(event.content, 'additional_creators'))
    ? deny('create.bad_additional_creators')
    : ALLOWED;
}

function checkRoomId(event: RoomEvent, rules: RoomVersionRules): AuthResult | undefined {
  if (rules.roomIdFormat === 'create-event-hash') {
    return event.carriesRoomId ? deny('create.has_room_id') : undefined;
  }
  const sameServer = serverNameOf(event.roomId) === serverNameOf(event.sender);
  return sameServer ? undefined : deny('create.foreign_room_id');
}

function isKnownVersion(version: JsonValue): boolean {
  return typeof version === 'string' && ROOM_VERSIONS.has(version);
}

/** True for no list at all too: additional creators may be left out. */
function isUserIdList(value: JsonValue | undefined): boolean {
  if (value === undefined) return true;
  if (!Array.isArray(value)) return false;
  const entries: readonly unknown[] = value;
  return entries.every((entry) => typeof entry === 'string' && parseUserId(entry) !== undefined);
}

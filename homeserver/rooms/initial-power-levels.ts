import { isJsonInteger, ownMember, ownObject, type JsonObject } from '../room/json-value.ts';
import type { UserId } from '../room/identifiers.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import { ROOM_PRESETS, type RoomPreset } from './room-preset.ts';

const TOMBSTONE = 'm.room.tombstone';

/**
 * Power levels of a new room: everybody talks, moderators (50) look after members, name and picture, administrators (100) after
 * what cannot be taken back. Where creators have power beyond all numbers they are not listed, and only they end the room.
 * Spec: client-server API, "createRoom" (v1.19).
 */
export function initialPowerLevels(
  rules: RoomVersionRules,
  room: { creator: UserId; administrators: readonly UserId[]; preset: RoomPreset; override: JsonObject },
): JsonObject {
  const infinite = rules.creatorPower === 'infinite';
  const listed = infinite ? [] : [room.creator, ...room.administrators];
  const levels: JsonObject = {
    users: Object.fromEntries(listed.map((userId) => [userId, 100])),
    users_default: 0,
    events: {
      'm.room.name': 50,
      'm.room.avatar': 50,
      'm.room.canonical_alias': 50,
      'm.room.power_levels': 100,
      'm.room.history_visibility': 100,
      'm.room.encryption': 100,
      'm.room.server_acl': 100,
      'm.room.tombstone': 100,
    },
    events_default: 0,
    state_default: 50,
    invite: ROOM_PRESETS[room.preset].invite,
    kick: 50,
    ban: 50,
    redact: 50,
    ...room.override,
  };
  return infinite ? withTombstone(levels, ownObject(room.override, 'events')) : levels;
}

/** The level for ending the room stays above that for other state, unless the client names one itself. */
function withTombstone(levels: JsonObject, asked: JsonObject | undefined): JsonObject {
  const events = ownObject(levels, 'events');
  if (events === undefined || (asked && Object.hasOwn(asked, TOMBSTONE))) return levels;
  return { ...levels, events: { ...events, [TOMBSTONE]: tombstoneLevel(levels) } };
}

/**
 * Power to end a room of which the creators are beyond all numbers: more than administrators and other state have. Spec: client-server
 * API, "createRoom" (v1.19).
 */
export function tombstoneLevel(levels: JsonObject): number {
  const other = ownMember(levels, 'state_default');
  return Math.min(Math.max(150, isJsonInteger(other) ? other + 1 : 0), Number.MAX_SAFE_INTEGER);
}

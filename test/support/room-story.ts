import type { AuthResult } from '../../homeserver/room/auth/auth-result.ts';
import { authStateOf, type AuthState } from '../../homeserver/room/auth/auth-state.ts';
import { checkEvent } from '../../homeserver/room/auth/check-event.ts';
import type { RoomEvent } from '../../homeserver/room/event-format.ts';
import { parseEventId, parseRoomId, parseServerName, parseUserId } from '../../homeserver/room/identifiers.ts';
import type { EventId, RoomId, ServerName, UserId } from '../../homeserver/room/identifiers.ts';
import type { JsonObject } from '../../homeserver/room/json-value.ts';
import { ROOM_VERSIONS, type RoomVersionRules } from '../../homeserver/room/room-versions.ts';

/** The parts of an event that a story tells; the rest is filled in. */
export interface Told {
  type: string;
  sender?: string;
  stateKey?: string;
  content?: JsonObject;
  eventId?: string;
  prevEvents?: readonly string[];
  signedBy?: readonly string[];
  roomId?: string;
  redacts?: string;
}

/** The rules of every room version we know, oldest first. */
export const ALL_RULES: readonly RoomVersionRules[] = [...ROOM_VERSIONS.values()];

/** The rules of one version; fails for an unknown one. */
export function rulesOf(version: string): RoomVersionRules {
  return present(ROOM_VERSIONS.get(version), version);
}

export function userId(text: string): UserId {
  return present(parseUserId(text), text);
}

export function eventId(text: string): EventId {
  return present(parseEventId(text), text);
}

export function roomId(text: string): RoomId {
  return present(parseRoomId(text), text);
}

export function serverName(text: string): ServerName {
  return present(parseServerName(text), text);
}

/** The room that all stories play in: @creator:one made it, and in version 12 @second:one with them. */
export function storyRoomId(rules: RoomVersionRules): RoomId {
  return roomId(rules.roomIdFormat === 'with-server' ? '!story:one' : '!create');
}

/** An event of the story's room, without hashes: the auth rules look at none. */
export function tell(told: Told, rules: RoomVersionRules): RoomEvent {
  const sender = userId(told.sender ?? '@creator:one');
  return {
    eventId: eventId(told.eventId ?? `$${told.type}/${told.stateKey ?? 'message'}`),
    roomId: told.roomId === undefined ? storyRoomId(rules) : roomId(told.roomId),
    type: told.type,
    stateKey: told.stateKey,
    sender,
    content: told.content ?? {},
    depth: 9,
    originServerTs: 1,
    prevEvents: (told.prevEvents ?? ['$before']).map(eventId),
    authEvents: [],
    redacts: told.redacts === undefined ? undefined : eventId(told.redacts),
    signedBy: told.signedBy ?? [],
    carriesRoomId: told.type !== 'm.room.create' || rules.roomIdFormat === 'with-server',
  };
}

export function createEvent(content: JsonObject = {}): Told {
  const creators = { creator: '@creator:one', additional_creators: ['@second:one'] };
  return {
    type: 'm.room.create',
    stateKey: '',
    eventId: '$create',
    prevEvents: [],
    content: { ...creators, ...content },
  };
}

export function member(user: string, membership: string): Told {
  return { type: 'm.room.member', sender: user, stateKey: user, content: { membership } };
}

export function joinRule(rule: string): Told {
  return { type: 'm.room.join_rules', stateKey: '', content: { join_rule: rule } };
}

export function powerLevels(content: JsonObject): Told {
  return { type: 'm.room.power_levels', stateKey: '', content };
}

/** @admin 100, @mod 50, @alice and @bob 0; @creator and @second are joined too. */
export const STORY_POWER: JsonObject = { users: { '@admin:one': 100, '@mod:one': 50 }, events: { 'm.room.topic': 25 } };

/** The story's room: an invite-only room with members, and one user in each other state. */
export const STORY: readonly Told[] = [
  createEvent(),
  powerLevels(STORY_POWER),
  joinRule('invite'),
  ...['@creator:one', '@second:one', '@admin:one', '@mod:one', '@alice:one', '@bob:two'].map((u) => member(u, 'join')),
  member('@invited:two', 'invite'),
  member('@knocking:two', 'knock'),
  member('@left:two', 'leave'),
  member('@banned:two', 'ban'),
];

/** The story's state with some entries told anew; entries named in `without` (by type) are left out. */
export function storyState(
  rules: RoomVersionRules,
  changes: readonly Told[] = [],
  without: readonly string[] = [],
): AuthState {
  const told = [...STORY, ...changes].filter(({ type }) => !without.includes(type));
  return authStateOf(told.map((event) => tell(event, rules)));
}

/** One row of a table: an event, what differs from the story's state, and what the rules say. */
export interface AuthCase {
  name: string;
  event: Told;
  state?: readonly Told[];
  without?: readonly string[];
  /** First and last room version that it holds for; all without them. */
  since?: number;
  until?: number;
  says: string;
}

/** Rows for every room version that a case holds for. */
export function perVersion(cases: readonly AuthCase[]): (AuthCase & { rules: RoomVersionRules; title: string })[] {
  return cases.flatMap((row) =>
    ALL_RULES.filter(({ version }) => Number(version) >= (row.since ?? 1) && Number(version) <= (row.until ?? 12)).map(
      (rules) => ({
        ...row,
        rules,
        title: `version ${rules.version}: ${row.name}`,
      }),
    ),
  );
}

/** `allowed`, or the code of the rule that refuses. */
export function verdict(row: AuthCase & { rules: RoomVersionRules }): string {
  return spoken(checkEvent(tell(row.event, row.rules), storyState(row.rules, row.state, row.without), row.rules));
}

export function spoken(result: AuthResult): string {
  return result.allowed ? 'allowed' : result.rule;
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`not valid: ${what}`);
  return value;
}

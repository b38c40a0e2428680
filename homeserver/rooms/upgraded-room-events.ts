import type { EventDraft } from '../pipeline/room-writer.ts';
import type { EventId, RoomId, UserId } from '../room/identifiers.ts';
import { isJsonInteger, ownMember, ownObject, type JsonObject, type JsonValue } from '../room/json-value.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import { tombstoneLevel } from './initial-power-levels.ts';

/** What a room hands on to the one that replaces it, beside its kind. Spec: client-server API, "Room Upgrades" (v1.19). */
export const TRANSFERRED_TYPES = [
  'm.room.power_levels',
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.guest_access',
  'm.room.server_acl',
  'm.room.encryption',
  'm.room.name',
  'm.room.topic',
  'm.room.avatar',
  'm.room.canonical_alias',
] as const;

/** Members of the create event that belong to the kind of a room. */
const KIND = ['type', 'm.federate'] as const;

const ADMINISTRATOR = 100;

/** A room as its replacement needs to know it. */
export interface OldRoom {
  readonly roomId: RoomId;
  readonly rules: RoomVersionRules;
  readonly lastEvent: EventId | undefined;
  /** Contents of present state with the empty state key. */
  readonly state: ReadonlyMap<string, JsonObject>;
  /** Users whose power is beyond all numbers. */
  readonly creators: readonly UserId[];
  /** Children of a space, by room id. */
  readonly children: ReadonlyMap<string, JsonObject>;
  /** By user id. */
  readonly banned: ReadonlyMap<string, JsonObject>;
}

export interface Replacement {
  readonly rules: RoomVersionRules;
  readonly creator: UserId;
  readonly additionalCreators: readonly UserId[];
  /** Of the creator's member event. */
  readonly profile: JsonObject;
}

/**
 * The events of the room that replaces an old one. Of the memberships only bans are handed on: the specification advises against
 * memberships because a server cannot speak for users of others, but a ban is the word of whoever upgrades, and without it everybody
 * who was banned from a public room would be let in again.
 */
export function upgradedRoomEvents(old: OldRoom, next: Replacement): EventDraft[] {
  const { creator } = next;
  const levels = powerLevels(old, next);
  const content = (type: string) => (type === 'm.room.power_levels' ? levels.first : old.state.get(type));
  const transferred = TRANSFERRED_TYPES.flatMap((type) => {
    const found = content(type);
    return found === undefined ? [] : [state(creator, type, found)];
  });
  return [
    state(creator, 'm.room.create', createContent(old, next)),
    state(creator, 'm.room.member', { ...next.profile, membership: 'join' }, creator),
    ...transferred,
    ...[...old.children].map(([roomId, child]) => state(creator, 'm.space.child', child, roomId)),
    ...[...old.banned].map(([userId, ban]) => state(creator, 'm.room.member', ban, userId)),
    ...(levels.last === undefined ? [] : [state(creator, 'm.room.power_levels', levels.last)]),
  ];
}

function state(sender: UserId, type: string, content: JsonObject, stateKey = ''): EventDraft {
  return { type, stateKey, sender, content };
}

function createContent(old: OldRoom, { rules, creator, additionalCreators }: Replacement): JsonObject {
  const before = old.state.get('m.room.create') ?? {};
  const kind = KIND.flatMap((key): [string, JsonObject[string]][] => {
    const value = ownMember(before, key);
    return value === undefined ? [] : [[key, value]];
  });
  const withEvent = rules.roomIdFormat === 'with-server' && old.lastEvent !== undefined;
  const content = {
    ...Object.fromEntries(kind),
    room_version: rules.version,
    predecessor: { room_id: old.roomId, ...(withEvent && { event_id: old.lastEvent }) },
  };
  if (rules.creators === 'content-creator') return { ...content, creator };
  if (rules.creators === 'sender' || additionalCreators.length === 0) return content;
  return { ...content, additional_creators: [...new Set(additionalCreators)] };
}

/**
 * The levels to begin with, and those to end with when they differ: whoever upgrades needs the power to make the room, which they may
 * not have had in the old one.
 */
function powerLevels(old: OldRoom, next: Replacement): { first: JsonObject | undefined; last: JsonObject | undefined } {
  const stated = old.state.get('m.room.power_levels');
  if (stated === undefined) return { first: undefined, last: undefined };
  const content = integerLevels(stated);
  const users = ownObject(content, 'users') ?? {};
  if (next.rules.creatorPower === 'infinite')
    return { first: levelsWithCreators(content, users, next), last: undefined };
  const last = { ...content, users: { ...users, ...formerCreators(old) } };
  const needed = highestLevel(last);
  const level = ownMember(last.users, next.creator) ?? ownMember(content, 'users_default') ?? 0;
  if (isJsonInteger(level) && level >= needed) return { first: last, last: undefined };
  return { first: { ...last, users: { ...last.users, [next.creator]: needed } }, last };
}

/** Before room version 10 levels may be texts and fractions, which later versions do not take. */
function integerLevels(content: JsonObject): JsonObject {
  const integer = (value: JsonValue): JsonValue => {
    const number = typeof value === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(value) ? Number(value) : value;
    return typeof number === 'number' ? Math.trunc(number) : number;
  };
  const change = (levels: JsonObject) =>
    Object.fromEntries(Object.entries(levels).map(([key, value]) => [key, integer(value)]));
  const nested = ['users', 'events', 'notifications'].flatMap((key) => {
    const levels = ownObject(content, key);
    return levels === undefined ? [] : [[key, change(levels)] as const];
  });
  return { ...change(content), ...Object.fromEntries(nested) };
}

/** Creators are not listed where their power is beyond all numbers, and only they end the room. */
function levelsWithCreators(content: JsonObject, users: JsonObject, next: Replacement): JsonObject {
  const creators = new Set<string>([next.creator, ...next.additionalCreators]);
  const events = ownObject(content, 'events') ?? {};
  const tombstone = ownMember(events, 'm.room.tombstone');
  const least = tombstoneLevel(content);
  const level = isJsonInteger(tombstone) ? Math.max(tombstone, least) : least;
  return {
    ...content,
    users: Object.fromEntries(Object.entries(users).filter(([userId]) => !creators.has(userId))),
    events: { ...events, 'm.room.tombstone': level },
  };
}

/** Whose power was beyond all numbers is an administrator where there is no such power. */
function formerCreators(old: OldRoom): JsonObject {
  return Object.fromEntries(old.creators.map((userId) => [userId, ADMINISTRATOR]));
}

function highestLevel(content: JsonObject): number {
  const nested = ['users', 'events'].flatMap((key) => Object.values(ownObject(content, key) ?? {}));
  const levels = [...Object.values(content), ...nested].filter(isJsonInteger);
  return levels.reduce((highest, level) => Math.max(highest, level), ADMINISTRATOR);
}

/** The old room's levels with talking and inviting for moderators only; undefined when they are so already. */
export function restrictedPowerLevels(content: JsonObject): JsonObject | undefined {
  const usual = ownMember(content, 'users_default');
  const wanted = Math.max(50, (isJsonInteger(usual) ? usual : 0) + 1);
  const least = (key: string) => {
    const level = ownMember(content, key);
    return isJsonInteger(level) ? Math.max(level, wanted) : wanted;
  };
  const restricted = { ...content, events_default: least('events_default'), invite: least('invite') };
  const isSame = ['events_default', 'invite'].every((key) => ownMember(content, key) === ownMember(restricted, key));
  return isSame ? undefined : restricted;
}

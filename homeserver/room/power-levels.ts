import type { RoomEvent } from './event-format.ts';
import { parseUserId, type UserId } from './identifiers.ts';
import { isJsonInteger, ownMember, ownObject, ownString, type JsonObject, type JsonValue } from './json-value.ts';
import { isLooseNumber } from './loose-number.ts';
import type { RoomVersionRules } from './room-versions.ts';

/** The part of a room's state that power is read from. */
interface PowerState {
  get(type: string, stateKey: string): RoomEvent | undefined;
}

/** Who may do what in a room; read it with the functions below. */
export interface PowerLevels {
  /** The content of m.room.power_levels; undefined while the room has none. */
  readonly content: JsonObject | undefined;
  /** Users whose power does not come from `users`. */
  readonly creators: ReadonlySet<string>;
  /** Their power: 100 or Infinity. */
  readonly creatorPower: number;
  readonly rules: RoomVersionRules;
}

/** What `m.room.power_levels` sets one level for. */
export type PowerAction = keyof typeof ACTION_DEFAULTS;

const ACTION_DEFAULTS = { invite: 0, kick: 50, ban: 50, redact: 50 } as const;
const DEFAULT_STATE_LEVEL = 50;
const DEFAULT_EVENTS_LEVEL = 0;
const DEFAULT_NOTIFICATION_LEVEL = 50;
const CREATOR_LEVEL_WITHOUT_EVENT = 100;
const STRING_LEVEL = /^\s*[+-]?\d+\s*$/;

/** The power levels that hold in a state. Spec: Client-Server API, "m.room.power_levels". */
export function powerLevelsOf(state: PowerState, rules: RoomVersionRules): PowerLevels {
  const content = state.get('m.room.power_levels', '')?.content;
  const create = state.get('m.room.create', '');
  const infinite = rules.creatorPower === 'infinite';
  const special = create !== undefined && (infinite || content === undefined);
  return {
    content,
    creators: new Set<string>(special ? creatorsOf(create, rules) : []),
    creatorPower: infinite ? Number.POSITIVE_INFINITY : CREATOR_LEVEL_WITHOUT_EVENT,
    rules,
  };
}

/** The users that made a room, its create event's sender or `content.creator` first. */
export function creatorsOf(create: RoomEvent, rules: RoomVersionRules): readonly UserId[] {
  if (rules.creators === 'content-creator') {
    const creator = parseUserId(ownString(create.content, 'creator') ?? '');
    return creator === undefined ? [] : [creator];
  }
  return rules.creators === 'sender' ? [create.sender] : [create.sender, ...additionalCreators(create.content)];
}

/** The power of a user: an integer, or Infinity for the creators of a version-12 room. */
export function userPowerLevel(levels: PowerLevels, userId: string): number {
  if (levels.creators.has(userId)) return levels.creatorPower;
  const content = levels.content ?? {};
  const own = readLevel(ownMember(ownObject(content, 'users') ?? {}, userId), levels.rules);
  return own ?? levelOr(levels, 'users_default', 0);
}

/** The power that sending an event of that type needs; a state event is one with a state key. */
export function requiredFor(levels: PowerLevels, event: { type: string; stateKey: string | undefined }): number {
  const ofType = ownMember(ownObject(levels.content ?? {}, 'events') ?? {}, event.type);
  const own = readLevel(ofType, levels.rules);
  if (own !== undefined) return own;
  return event.stateKey === undefined
    ? levelOr(levels, 'events_default', DEFAULT_EVENTS_LEVEL)
    : levelOr(levels, 'state_default', DEFAULT_STATE_LEVEL);
}

/** The power that inviting, kicking, banning, or redacting another's event needs. */
export function actionLevel(levels: PowerLevels, action: PowerAction): number {
  return levelOr(levels, action, ACTION_DEFAULTS[action]);
}

/** The power that notifying everybody in the room needs; `key` is `room` for that. Spec: Client-Server API, "m.room.power_levels". */
export function notificationLevel(levels: PowerLevels, key: string): number {
  const own = ownMember(ownObject(levels.content ?? {}, 'notifications') ?? {}, key);
  return readLevel(own, levels.rules) ?? DEFAULT_NOTIFICATION_LEVEL;
}

/**
 * A level as an m.room.power_levels may write it: an integer; before room version 10 also a string such as `" +050 "`,
 * and where events may have fractions one of those, cut at the point. Undefined for anything else.
 *
 * Spec: room version 1, "Deprecated event content schemas".
 */
export function readLevel(value: JsonValue | undefined, rules: RoomVersionRules): number | undefined {
  if (isJsonInteger(value)) return value;
  if (rules.levelFormat === 'integers') return undefined;
  if (typeof value === 'string') return STRING_LEVEL.test(value) ? Number(value) + 0 : undefined;
  return isLooseNumber(value) ? Math.trunc(value.value) + 0 : undefined;
}

function additionalCreators(content: JsonObject): readonly UserId[] {
  const listed = ownMember(content, 'additional_creators');
  if (!Array.isArray(listed)) return [];
  const entries: readonly unknown[] = listed;
  return entries.flatMap((entry) => (typeof entry === 'string' ? (parseUserId(entry) ?? []) : []));
}

/** From room version 10 on an event with anything else never gets into the state; before, it counts as not there. */
function levelOr(levels: PowerLevels, key: string, fallback: number): number {
  return readLevel(ownMember(levels.content ?? {}, key), levels.rules) ?? fallback;
}

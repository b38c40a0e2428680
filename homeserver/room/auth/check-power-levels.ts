import type { RoomEvent } from '../event-format.ts';
import { parseUserId } from '../identifiers.ts';
import { isJsonObject, ownMember, type JsonObject, type JsonValue } from '../json-value.ts';
import { powerLevelsOf, readLevel, userPowerLevel, type PowerLevels } from '../power-levels.ts';
import type { RoomVersionRules } from '../room-versions.ts';
import { ALLOWED, deny, type AuthResult } from './auth-result.ts';
import type { AuthState } from './auth-state.ts';

const LEVELS = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'] as const;
const MAPS = ['events', 'notifications'] as const;
const MAPS_BEFORE_V6 = ['events'] as const;

/** A new m.room.power_levels beside the one it replaces, and the power of its sender. */
interface PowerChange {
  readonly before: JsonObject;
  readonly after: JsonObject;
  readonly sender: string;
  readonly power: number;
  readonly rules: RoomVersionRules;
}

/** One entry that differs; undefined stands for an entry that is not there or is no level. */
interface Alteration {
  readonly key: string;
  readonly before: number | undefined;
  readonly after: number | undefined;
}

/** Rule 10: m.room.power_levels. */
export function checkPowerLevels(event: RoomEvent, state: AuthState, rules: RoomVersionRules): AuthResult {
  const levels = powerLevelsOf(state, rules);
  const before = state.get('m.room.power_levels', '');
  // Before version 10 the first power levels may be anything: they are compared with nothing.
  const mustBeReadable = rules.levelFormat === 'integers' || before !== undefined;
  const malformed = mustBeReadable ? checkLevelsShape(event.content, rules) : undefined;
  const refused = malformed ?? checkUsersShape(event.content, levels);
  if (refused !== undefined) return refused;
  // 10.5
  if (before === undefined) return ALLOWED;
  const change: PowerChange = {
    before: before.content,
    after: event.content,
    sender: event.sender,
    power: userPowerLevel(levels, event.sender),
    rules,
  };
  // 10.11: allow
  return checkLevels(change) ?? checkMaps(change) ?? checkUsers(change) ?? ALLOWED;
}

/** Rules 10.1 and 10.2. Before version 10 they are not there, but levels are compared, which takes levels. */
function checkLevelsShape(content: JsonObject, rules: RoomVersionRules): AuthResult | undefined {
  // 10.1
  const isLevel = (value: JsonValue | undefined) => value === undefined || readLevel(value, rules) !== undefined;
  const badLevel = LEVELS.find((key) => !isLevel(ownMember(content, key)));
  if (badLevel !== undefined) return deny('power.bad_level', badLevel);
  // 10.2
  const badMap = mapsOf(rules).find((key) => !isAbsentOrLevelMap(ownMember(content, key), rules));
  return badMap === undefined ? undefined : deny('power.bad_map', badMap);
}

/** Rules 10.3 and 10.4. */
function checkUsersShape(content: JsonObject, { creators, rules }: PowerLevels): AuthResult | undefined {
  // 10.3
  const users = ownMember(content, 'users');
  if (users !== undefined && !isUserMap(users, rules)) return deny('power.bad_users');
  // 10.4
  const namesCreator = Object.keys(mapOf(users)).some((userId) => creators.has(userId));
  return namesCreator && rules.creatorPower === 'infinite' ? deny('power.names_creator') : undefined;
}

function mapsOf(rules: RoomVersionRules): readonly (typeof MAPS)[number][] {
  return rules.guardsNotificationLevels ? MAPS : MAPS_BEFORE_V6;
}

/** Rule 10.6. */
function checkLevels({ before, after, power, rules }: PowerChange): AuthResult | undefined {
  const refused = alterations({ before, after, rules }, LEVELS).find(
    (level) => isAbove(level.before, power) || isAbove(level.after, power),
  );
  return refused === undefined ? undefined : deny('power.level_above_own', refused.key);
}

/** Rules 10.7 and 10.8. */
function checkMaps(change: PowerChange): AuthResult | undefined {
  for (const name of mapsOf(change.rules)) {
    const changed = mapAlterations(change, name);
    // 10.7
    const old = changed.find((entry) => isAbove(entry.before, change.power));
    if (old !== undefined) return deny('power.entry_above_own', `${name} ${old.key}`);
    // 10.8
    const added = changed.find((entry) => isAbove(entry.after, change.power));
    if (added !== undefined) return deny('power.new_entry_above_own', `${name} ${added.key}`);
  }
  return undefined;
}

/** Rules 10.9 and 10.10. */
function checkUsers(change: PowerChange): AuthResult | undefined {
  const { sender, power } = change;
  const changed = mapAlterations(change, 'users');
  // 10.9
  const old = changed.find((entry) => entry.key !== sender && isAtLeast(entry.before, power));
  if (old !== undefined) return deny('power.user_not_below_own', old.key);
  // 10.10
  const added = changed.find((entry) => isAbove(entry.after, power));
  return added === undefined ? undefined : deny('power.new_user_above_own', added.key);
}

/** Entries whose level differs: `"50"` and `50` are the same one. */
function alterations(change: Pick<PowerChange, 'before' | 'after' | 'rules'>, keys: Iterable<string>): Alteration[] {
  const { before, after, rules } = change;
  return [...keys]
    .map((key) => ({
      key,
      before: readLevel(ownMember(before, key), rules),
      after: readLevel(ownMember(after, key), rules),
    }))
    .filter((entry) => entry.before !== entry.after);
}

function mapAlterations({ before, after, rules }: PowerChange, name: 'events' | 'notifications' | 'users') {
  const old = mapOf(ownMember(before, name));
  const fresh = mapOf(ownMember(after, name));
  const keys = new Set([...Object.keys(old), ...Object.keys(fresh)]);
  return alterations({ before: old, after: fresh, rules }, keys);
}

function mapOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function isAbove(level: number | undefined, power: number): boolean {
  return level !== undefined && level > power;
}

function isAtLeast(level: number | undefined, power: number): boolean {
  return level !== undefined && level >= power;
}

function isAbsentOrLevelMap(value: JsonValue | undefined, rules: RoomVersionRules): boolean {
  return value === undefined || isLevelMap(value, rules);
}

function isLevelMap(value: JsonValue, rules: RoomVersionRules): boolean {
  return isJsonObject(value) && Object.values(value).every((level) => readLevel(level, rules) !== undefined);
}

function isUserMap(value: JsonValue, rules: RoomVersionRules): boolean {
  return isLevelMap(value, rules) && Object.keys(mapOf(value)).every((userId) => parseUserId(userId) !== undefined);
}

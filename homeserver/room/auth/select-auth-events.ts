import type { EventId } from '../identifiers.ts';
import { ownObject, ownString, type JsonObject } from '../json-value.ts';
import { allowsRestrictedJoins, type RoomVersionRules } from '../room-versions.ts';
import type { AuthState } from './auth-state.ts';

/** The parts of an event that decide which state it is checked against. */
export interface AuthSubject {
  readonly type: string;
  readonly sender: string;
  readonly stateKey: string | undefined;
  readonly content: JsonObject;
}

/** Type and state key of one entry of a room's state. */
export type StateKey = readonly [type: string, stateKey: string];

const CREATE: StateKey = ['m.room.create', ''];
const NEEDS_JOIN_RULES: ReadonlySet<string | undefined> = new Set(['join', 'invite', 'knock']);

/**
 * The state entries that checking an event looks at, each once, m.room.create first; none for m.room.create itself.
 * In room versions that leave the create event out of auth_events this is one more than `authEventKeys`.
 */
export function authStateKeys(event: AuthSubject, rules: RoomVersionRules): readonly StateKey[] {
  const selected = authEventKeys(event, rules);
  return event.type === 'm.room.create' || rules.createInAuthEvents ? selected : [CREATE, ...selected];
}

/**
 * The state entries whose events an event's `auth_events` list, each once.
 *
 * Spec: Server-Server API, "Auth events selection"; room version 12, "Authorisation rules".
 */
export function authEventKeys(event: AuthSubject, rules: RoomVersionRules): readonly StateKey[] {
  if (event.type === 'm.room.create') return [];
  const keys: StateKey[] = rules.createInAuthEvents ? [CREATE] : [];
  keys.push(['m.room.power_levels', ''], ['m.room.member', event.sender]);
  if (event.type === 'm.room.member') keys.push(...memberKeys(event, rules));
  return withoutRepeats(keys);
}

/** The ids for `auth_events` of an event made on that state. */
export function selectAuthEvents(event: AuthSubject, state: AuthState, rules: RoomVersionRules): EventId[] {
  return authEventKeys(event, rules).flatMap(([type, stateKey]) => state.get(type, stateKey)?.eventId ?? []);
}

function memberKeys(event: AuthSubject, rules: RoomVersionRules): StateKey[] {
  const membership = ownString(event.content, 'membership');
  const keys: StateKey[] = [];
  if (event.stateKey !== undefined) keys.push(['m.room.member', event.stateKey]);
  if (NEEDS_JOIN_RULES.has(membership)) keys.push(['m.room.join_rules', '']);
  const token = membership === 'invite' ? inviteToken(event.content) : undefined;
  if (token !== undefined) keys.push(['m.room.third_party_invite', token]);
  const authoriser = authoriserOf(event, membership, rules);
  if (authoriser !== undefined) keys.push(['m.room.member', authoriser]);
  return keys;
}

function authoriserOf(event: AuthSubject, membership: string | undefined, rules: RoomVersionRules): string | undefined {
  if (membership !== 'join' || !allowsRestrictedJoins(rules)) return undefined;
  return ownString(event.content, 'join_authorised_via_users_server');
}

function inviteToken(content: JsonObject): string | undefined {
  const invite = ownObject(content, 'third_party_invite');
  const signed = invite === undefined ? undefined : ownObject(invite, 'signed');
  return signed === undefined ? undefined : ownString(signed, 'token');
}

/** At most seven keys: comparing each with each is cheaper than a set. */
function withoutRepeats(keys: readonly StateKey[]): StateKey[] {
  return keys.filter(
    ([type, stateKey], at) => keys.findIndex((other) => other[0] === type && other[1] === stateKey) === at,
  );
}

import { isJsonObject, ownMember, ownObject, ownString, type JsonObject, type JsonValue } from './json-value.ts';
import { redact, redactContent } from './redaction.ts';
import type { RoomVersionRules } from './room-versions.ts';

/**
 * Keys of state that the auth rules read and that redaction takes away in some room versions. The rules judge by what was sent: with
 * less, a room would let in what it refused before.
 */
const READ_BY_RULES: ReadonlyMap<string, ReadonlySet<string> | 'all'> = new Map<string, ReadonlySet<string> | 'all'>([
  ['m.room.create', 'all'],
  ['m.room.power_levels', new Set(['invite', 'notifications'])],
  ['m.room.member', new Set(['join_authorised_via_users_server'])],
  ['m.room.third_party_invite', new Set(['public_key', 'public_keys'])],
]);

/**
 * What stays stored of a redacted event: its redacted form, with what the auth rules read beside it, and of a redaction what it redacts.
 * Nobody is given more than the redacted form of it, which is the same, and so are id and signatures; twice is once.
 */
export function cutForm(pdu: JsonObject, rules: RoomVersionRules): JsonObject {
  const type = ownString(pdu, 'type') ?? '';
  const redacted = { ...redact(pdu, rules), ...(type === 'm.room.redaction' ? redactsOf(pdu) : {}) };
  const content = ownMember(pdu, 'content');
  if (!isJsonObject(content) || ownMember(pdu, 'state_key') === undefined) return redacted;
  return { ...redacted, content: cutContent(type, content, rules) };
}

/** Told to clients with what it has redacted: `redacted_because`. */
function redactsOf(pdu: JsonObject): JsonObject {
  const redacts = ownString(pdu, 'redacts');
  return redacts === undefined ? {} : { redacts };
}

function cutContent(type: string, content: JsonObject, rules: RoomVersionRules): JsonObject {
  const kept = READ_BY_RULES.get(type);
  if (kept === 'all') return content;
  const read = Object.entries(content).filter(([key]) => kept?.has(key) === true);
  const invite = type === 'm.room.member' ? thirdPartySigned(content) : [];
  return Object.fromEntries([...Object.entries(redactContent(type, content, rules)), ...read, ...invite]);
}

/** The proof of a third-party invite, without the address beside it. */
function thirdPartySigned(content: JsonObject): [string, JsonValue][] {
  const invite = ownObject(content, 'third_party_invite');
  if (invite === undefined) return [];
  const signed = ownMember(invite, 'signed');
  return [['third_party_invite', signed === undefined ? {} : { signed }]];
}

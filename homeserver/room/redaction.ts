import { isJsonObject, ownMember, ownObject, ownString, type JsonObject, type JsonValue } from './json-value.ts';
import type { RoomVersionRules } from './room-versions.ts';

/**
 * The event with only what redaction leaves; `signatures` and `hashes` stay, `unsigned` goes.
 *
 * Spec: room versions, "Redactions".
 */
export function redact(pdu: JsonObject, rules: RoomVersionRules): JsonObject {
  const kept = Object.entries(pdu).filter(([key]) => rules.redaction.topLevel.has(key));
  const content = ownMember(pdu, 'content');
  if (!isJsonObject(content)) return Object.fromEntries(kept);
  return { ...Object.fromEntries(kept), content: redactContent(ownString(pdu, 'type') ?? '', content, rules) };
}

/** The content that redaction leaves of an event of that type; the same object if all of it stays. */
export function redactContent(type: string, content: JsonObject, rules: RoomVersionRules): JsonObject {
  const keys = rules.redaction.content.get(type);
  if (keys === 'all') return content;
  if (keys === undefined) return {};
  const kept = Object.entries(content).filter(([key]) => keys.has(key));
  return type === 'm.room.member' && rules.redaction.keepsThirdPartySigned
    ? Object.fromEntries([...kept, ...thirdPartySigned(content)])
    : Object.fromEntries(kept);
}

/**
 * An invite keeps the proof that the invited address is the user's, and nothing else of `third_party_invite`. Without a
 * proof an empty object stays: Synapse and Ruma do so, and the event id depends on it.
 */
function thirdPartySigned(content: JsonObject): [string, JsonValue][] {
  const invite = ownObject(content, 'third_party_invite');
  if (invite === undefined) return [];
  const signed = ownMember(invite, 'signed');
  return [['third_party_invite', signed === undefined ? {} : { signed }]];
}

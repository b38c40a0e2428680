import { hash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import { parseEventId, type EventId, type EventReference } from './identifiers.ts';
import { ownObject, ownString, type JsonObject } from './json-value.ts';
import { redact } from './redaction.ts';
import { carriesEventId, type RoomVersionRules } from './room-versions.ts';

const NOT_IN_CONTENT_HASH: ReadonlySet<string> = new Set(['unsigned', 'signatures', 'hashes']);
const NOT_SIGNED: ReadonlySet<string> = new Set(['unsigned', 'signatures']);

/**
 * SHA-256 over the whole event without `unsigned`, `signatures` and `hashes`, in unpadded Base64.
 * Throws CanonicalJsonError.
 *
 * Spec: Server-Server API, "Calculating the content hash for an event".
 */
export function contentHash(pdu: JsonObject): string {
  return sha256Base64(canonicalJson(without(pdu, NOT_IN_CONTENT_HASH)));
}

/** True if `hashes.sha256` is the event's content hash; if not, only its redacted form may be used. */
export function hasValidContentHash(pdu: JsonObject): boolean {
  const stated = ownString(ownObject(pdu, 'hashes') ?? {}, 'sha256');
  return stated !== undefined && Buffer.from(stated, 'base64').equals(Buffer.from(contentHash(pdu), 'base64'));
}

/**
 * SHA-256 over what redaction leaves, in the unpadded Base64 that the room version names events with. Throws
 * CanonicalJsonError.
 *
 * Spec: Server-Server API, "Calculating the reference hash for an event".
 */
export function referenceHash(pdu: JsonObject, rules: RoomVersionRules): string {
  return hashText(signedText(redact(pdu, rules)), rules);
}

/** The reference hash of the event whose redacted form has that text without signatures. */
export function hashText(essential: string, rules: RoomVersionRules): string {
  return rules.eventIdFormat === 'base64url' ? sha256Base64Url(essential) : sha256Base64(essential);
}

/**
 * The id of an event that is named by its hash; room versions 1 and 2 have it in the event. Throws CanonicalJsonError.
 * Spec: room versions 3 and 4, "Event IDs".
 */
export function eventIdOf(pdu: JsonObject, rules: RoomVersionRules): EventId {
  return eventIdOfHash(referenceHash(pdu, rules));
}

/** How other events name this one. Throws CanonicalJsonError. */
export function referenceTo(pdu: JsonObject, eventId: EventId, rules: RoomVersionRules): EventReference {
  return carriesEventId(rules) ? [eventId, { sha256: referenceHash(pdu, rules) }] : eventId;
}

/** The id of the event with that reference hash. */
export function eventIdOfHash(referenceHashText: string): EventId {
  const eventId = parseEventId(`$${referenceHashText}`);
  if (eventId === undefined) throw new TypeError('a reference hash of no or too many characters');
  return eventId;
}

/** The canonical text that a signature covers: all but `signatures` and `unsigned`. Throws CanonicalJsonError. */
export function signedText(object: JsonObject): string {
  return canonicalJson(without(object, NOT_SIGNED));
}

/** SHA-256 of the text's UTF-8 bytes in unpadded Base64. */
export function sha256Base64(text: string): string {
  return unpadded(hash('sha256', text, 'base64'));
}

/** SHA-256 of the text's UTF-8 bytes in URL-safe unpadded Base64. */
export function sha256Base64Url(text: string): string {
  return hash('sha256', text, 'base64url');
}

/** Base64 without its `=`. */
export function unpadded(base64: string): string {
  return base64.replace(/={1,2}$/, '');
}

function without(object: JsonObject, keys: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.has(key)));
}

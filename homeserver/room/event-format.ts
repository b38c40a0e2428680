import { CanonicalJsonError, canonicalJson, looseNumberIn } from './canonical-json.ts';
import { eventIdOf } from './event-hash.ts';
import {
  fitsBytes,
  parseEventId,
  parseRoomId,
  parseUserId,
  roomIdOfCreateEvent,
  serverNameOfEvent,
  type EventId,
  type EventReference,
  type RoomId,
  type UserId,
} from './identifiers.ts';
import {
  isJsonInteger,
  isJsonObject,
  ownMember,
  ownObject,
  ownString,
  type JsonObject,
  type JsonValue,
} from './json-value.ts';
import { isLooseNumber } from './loose-number.ts';
import { carriesEventId, type RoomVersionRules } from './room-versions.ts';

/** Largest event in bytes of canonical JSON, signatures included. Spec: Client-Server API, "Size limits". */
export const MAX_EVENT_BYTES = 65_536;
/** Largest `type` and `state_key`, in bytes. */
export const MAX_KEY_BYTES = 255;
/** Most `prev_events`. */
export const MAX_PREV_EVENTS = 20;
/** Most `auth_events`. */
export const MAX_AUTH_EVENTS = 10;

/** An event as the rules of a room read it. */
export interface RoomEvent {
  readonly eventId: EventId;
  /** For the create event of a version-12 room this is made from its id: the event itself names no room. */
  readonly roomId: RoomId;
  readonly type: string;
  /** Undefined for a message event; the empty string is a state key like any other. */
  readonly stateKey: string | undefined;
  readonly sender: UserId;
  readonly content: JsonObject;
  /** One more than the deepest of prevEvents; the nearest double where versions before 6 go beyond 2^53-1. */
  readonly depth: number;
  /** Milliseconds since 1970 by the sender's server, which may lie. */
  readonly originServerTs: number;
  readonly prevEvents: readonly EventId[];
  readonly authEvents: readonly EventId[];
  /** The event that an m.room.redaction names, wherever its room version keeps it. */
  readonly redacts: EventId | undefined;
  /** Servers named under `signatures`; whether the signatures are valid is checked elsewhere. */
  readonly signedBy: readonly string[];
  /** The event text has a `room_id`. */
  readonly carriesRoomId: boolean;
}

/** An event of our own before hashes and signatures. */
export type UnsignedPdu = {
  /** Only in room versions 1 and 2, where the server names its events. */
  readonly event_id?: EventId;
  readonly type: string;
  readonly sender: UserId;
  /** Left out only by the create event of a version-12 room. */
  readonly room_id?: RoomId;
  readonly state_key?: string;
  readonly content: JsonObject;
  readonly depth: number;
  readonly origin_server_ts: number;
  readonly prev_events: readonly EventReference[];
  readonly auth_events: readonly EventReference[];
  /** The target of an m.room.redaction in room versions before 11. */
  readonly redacts?: EventId;
};

/** Why an object is not an event of its room version. */
export type FormatCode = 'not_canonical' | 'too_large' | 'bad_field' | 'key_too_long' | 'too_many_references';

/** An event breaks the format of its room version; `code` says how. */
export class EventFormatError extends Error {
  override readonly name = 'EventFormatError';
  readonly code: FormatCode;

  constructor(code: FormatCode, because: string) {
    super(because);
    this.code = code;
  }
}

/** What reading an event gives: the view with its canonical text, or why there is none. */
export type ParsedPdu = { ok: true; event: RoomEvent; json: string } | { ok: false; code: FormatCode; because: string };

/**
 * Reads an event that came from outside: format, limits and id; hashes, signatures and auth rules are for others.
 *
 * Spec: Server-Server API, "Checks performed on receipt of a PDU", step 1; room versions, "Event format".
 */
export function parsePdu(json: JsonObject, rules: RoomVersionRules): ParsedPdu {
  try {
    const text = canonicalJson(json);
    requireEventSize(text);
    requireNumbers(json, rules);
    requireHashes(json);
    return { ok: true, event: roomEventOf(json, readEventId(json, rules), rules), json: text };
  } catch (error) {
    if (error instanceof CanonicalJsonError) return { ok: false, code: 'not_canonical', because: error.message };
    if (error instanceof EventFormatError) return { ok: false, code: error.code, because: error.message };
    throw error;
  }
}

/**
 * The view of an event whose id is known already, as for one read from storage: neither hashed nor measured again.
 * Throws EventFormatError.
 */
export function roomEventOf(pdu: JsonObject, eventId: EventId, rules: RoomVersionRules): RoomEvent {
  const type = shortText(pdu, 'type');
  const content = requireField(ownObject(pdu, 'content'), 'content: not an object');
  return {
    eventId,
    roomId: makesItsRoom(pdu, rules) ? roomIdOfCreateEvent(eventId) : readRoomId(pdu),
    type,
    stateKey: ownMember(pdu, 'state_key') === undefined ? undefined : shortText(pdu, 'state_key'),
    sender: requireField(parseUserId(ownString(pdu, 'sender') ?? ''), 'sender: not a user id'),
    content,
    depth: readDepth(pdu),
    originServerTs: readInteger(pdu, 'origin_server_ts'),
    prevEvents: readReferences(pdu, 'prev_events', rules),
    authEvents: readReferences(pdu, 'auth_events', rules),
    redacts: type === 'm.room.redaction' ? readRedacts(pdu, content, rules) : undefined,
    signedBy: readSigners(pdu),
    carriesRoomId: ownMember(pdu, 'room_id') !== undefined,
  };
}

/** Throws EventFormatError `too_large` if the canonical text of an event passes MAX_EVENT_BYTES. */
export function requireEventSize(text: string): void {
  if (!fitsBytes(text, MAX_EVENT_BYTES)) {
    throw new EventFormatError('too_large', `the event takes more than ${MAX_EVENT_BYTES} bytes`);
  }
}

function requireField<T>(value: T | undefined, because: string): T {
  if (value === undefined) throw new EventFormatError('bad_field', because);
  return value;
}

/** NUL is refused although the format allows it: PostgreSQL cannot hold it, and no event in use has it. */
function shortText(pdu: JsonObject, key: string): string {
  const text = requireField(ownString(pdu, key), `${key}: not a string`);
  if (!fitsBytes(text, MAX_KEY_BYTES))
    throw new EventFormatError('key_too_long', `${key}: over ${MAX_KEY_BYTES} bytes`);
  if (text.includes('\0')) throw new EventFormatError('bad_field', `${key}: holds a NUL character`);
  return text;
}

/** From version 12 on; an m.room.create with another state key, or none, belongs to the room that it names. */
function makesItsRoom(pdu: JsonObject, rules: RoomVersionRules): boolean {
  return (
    rules.roomIdFormat === 'create-event-hash' &&
    ownMember(pdu, 'type') === 'm.room.create' &&
    ownMember(pdu, 'state_key') === ''
  );
}

function readRoomId(pdu: JsonObject): RoomId {
  return requireField(parseRoomId(ownString(pdu, 'room_id') ?? ''), 'room_id: not a room id');
}

function readInteger(pdu: JsonObject, key: string): number {
  return requireField(integerOf(ownMember(pdu, key)), `${key}: not an integer`);
}

/** Integers beyond 2^53-1, which versions before 6 allow, are read as the nearest double. */
function integerOf(value: JsonValue | undefined): number | undefined {
  if (isLooseNumber(value)) return Number.isInteger(value.value) ? value.value : undefined;
  return isJsonInteger(value) ? value : undefined;
}

function readDepth(pdu: JsonObject): number {
  const depth = readInteger(pdu, 'depth');
  return requireField(depth >= 0 ? depth : undefined, 'depth: below zero');
}

/** Throws EventFormatError for an event of room versions 1 and 2 without an id of its server. */
function readEventId(pdu: JsonObject, rules: RoomVersionRules): EventId {
  if (!carriesEventId(rules)) return eventIdOf(pdu, rules);
  const eventId = requireField(parseEventId(ownString(pdu, 'event_id') ?? ''), 'event_id: not an event id');
  requireField(serverNameOfEvent(eventId), 'event_id: names no server');
  return eventId;
}

function readReferences(
  pdu: JsonObject,
  key: 'prev_events' | 'auth_events',
  rules: RoomVersionRules,
): readonly EventId[] {
  const value = ownMember(pdu, key);
  if (!Array.isArray(value)) throw new EventFormatError('bad_field', `${key}: not a list`);
  const limit = key === 'prev_events' ? MAX_PREV_EVENTS : MAX_AUTH_EVENTS;
  if (value.length > limit) throw new EventFormatError('too_many_references', `${key}: more than ${limit} entries`);
  const entries: readonly unknown[] = value;
  return entries.map((entry) => {
    const named = carriesEventId(rules) ? idOfPair(entry) : entry;
    const eventId = typeof named === 'string' ? parseEventId(named) : undefined;
    return requireField(eventId, `${key}: an entry is not an event id${carriesEventId(rules) ? ' with hashes' : ''}`);
  });
}

/** The hash beside the id is not compared with the event: no server does, and those of old rooms are not all right. */
function idOfPair(entry: unknown): unknown {
  if (!Array.isArray(entry) || entry.length !== 2) return undefined;
  const pair: readonly unknown[] = entry;
  return typeof pair[1] === 'object' && pair[1] !== null ? pair[0] : undefined;
}

/** A redaction without a usable target is an event like any other: it redacts nothing. */
function readRedacts(pdu: JsonObject, content: JsonObject, rules: RoomVersionRules): EventId | undefined {
  return parseEventId(ownString(rules.redactsIn === 'content' ? content : pdu, 'redacts') ?? '');
}

function readSigners(pdu: JsonObject): readonly string[] {
  const signatures = ownMember(pdu, 'signatures');
  if (signatures === undefined) return [];
  if (!isJsonObject(signatures)) throw new EventFormatError('bad_field', 'signatures: not an object');
  return Object.keys(signatures);
}

function requireNumbers(pdu: JsonObject, rules: RoomVersionRules): void {
  if (rules.numbers === 'any') return;
  const loose = looseNumberIn(pdu);
  if (loose === undefined) return;
  throw new EventFormatError('not_canonical', `the number ${loose.text.slice(0, 24)} is no integer within 2^53-1`);
}

/** Events from outside always carry both; those we are just making get them last. */
function requireHashes(pdu: JsonObject): void {
  requireField(ownString(ownObject(pdu, 'hashes') ?? {}, 'sha256'), 'hashes: no sha256');
  const signatures = requireField(ownObject(pdu, 'signatures'), 'signatures: not an object');
  const wellFormed = Object.values(signatures).every(
    (keys) => isJsonObject(keys) && Object.values(keys).every((signature) => typeof signature === 'string'),
  );
  requireField(wellFormed ? true : undefined, 'signatures: not an object of objects of strings');
}

/** A user's full name, `@localpart:server`, historical ones included. */
export type UserId = string & { readonly __brand: 'UserId' };
/** A room, `!opaque:server`, or `!hash` from room version 12 on. */
export type RoomId = string & { readonly __brand: 'RoomId' };
/** An event: `$hash`, or `$opaque:server` in room versions 1 and 2. */
export type EventId = string & { readonly __brand: 'EventId' };
/** How an event names another one: by id, in room versions 1 and 2 with its reference hash. */
export type EventReference = EventId | readonly [EventId, { readonly sha256: string }];
/** A room's name, `#localpart:server`. */
export type RoomAlias = string & { readonly __brand: 'RoomAlias' };
/** A homeserver's name: a host and perhaps a port; upper and lower case differ. */
export type ServerName = string & { readonly __brand: 'ServerName' };

/** Longest identifier in bytes of UTF-8, sigil and server name included. */
export const MAX_ID_BYTES = 255;

const SERVER_NAME = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(?::[0-9]{1,5})?$/;
const NEW_LOCALPART = /^[a-z0-9._=\-/+]+$/;

/** Spec: Appendices, "Server Name". */
export function parseServerName(text: string): ServerName | undefined {
  return isServerName(text) ? text : undefined;
}

/** Takes every user id that may stand in an event, the historical ones too. Spec: Appendices, "User Identifiers". */
export function parseUserId(text: string): UserId | undefined {
  return isUserId(text) ? text : undefined;
}

/** Takes ids with and without a server part: which is right depends on the room version. Spec: "Room IDs". */
export function parseRoomId(text: string): RoomId | undefined {
  return isRoomId(text) ? text : undefined;
}

/** Takes any `$` id of at most 255 bytes. Spec: Appendices, "Event IDs". */
export function parseEventId(text: string): EventId | undefined {
  return isEventId(text) ? text : undefined;
}

/** Spec: Appendices, "Room Aliases". */
export function parseRoomAlias(text: string): RoomAlias | undefined {
  return isRoomAlias(text) ? text : undefined;
}

/** True for the localpart that a new account may have: `a-z0-9._=-/+`, not empty; length is for parseUserId to judge. */
export function isValidNewLocalpart(text: string): boolean {
  return NEW_LOCALPART.test(text);
}

/** The server that made the id; undefined for a room id that names none (room version 12). */
export function serverNameOf(id: UserId | RoomAlias): ServerName;
export function serverNameOf(id: RoomId): ServerName | undefined;
export function serverNameOf(id: UserId | RoomAlias | RoomId): ServerName | undefined {
  const colon = id.indexOf(':');
  const name = colon === -1 ? undefined : parseServerName(id.slice(colon + 1));
  if (name === undefined && !id.startsWith('!')) throw new TypeError(`${id} names no server`);
  return name;
}

/** The server in an event id of room versions 1 and 2; undefined for one that is a hash. */
export function serverNameOfEvent(id: EventId): ServerName | undefined {
  const colon = id.indexOf(':');
  return colon === -1 ? undefined : parseServerName(id.slice(colon + 1));
}

/** The part between the sigil and the server name. */
export function localpartOf(id: UserId | RoomAlias): string {
  return id.slice(1, id.indexOf(':'));
}

/** The room that a create event makes in room versions from 12 on: its id with `!` for `$`. */
export function roomIdOfCreateEvent(eventId: EventId): RoomId {
  const roomId = parseRoomId(`!${eventId.slice(1)}`);
  if (roomId === undefined) throw new TypeError(`${eventId} gives no room id`);
  return roomId;
}

/** True if the text takes at most that many bytes of UTF-8. */
export function fitsBytes(text: string, limit: number): boolean {
  // A UTF-16 unit is at most three bytes: short texts need no count.
  return text.length * 3 <= limit || (text.length <= limit && Buffer.byteLength(text) <= limit);
}

function isServerName(text: string): text is ServerName {
  return SERVER_NAME.test(text);
}

function isUserId(text: string): text is UserId {
  return hasLocalpartAndServer(text, '@');
}

function isRoomAlias(text: string): text is RoomAlias {
  return hasLocalpartAndServer(text, '#');
}

function isRoomId(text: string): text is RoomId {
  return isOpaqueId(text, '!') && (!text.includes(':') || hasLocalpartAndServer(text, '!'));
}

function isEventId(text: string): text is EventId {
  return isOpaqueId(text, '$');
}

function hasLocalpartAndServer(text: string, sigil: string): boolean {
  const colon = text.indexOf(':');
  return isBounded(text, sigil) && colon !== -1 && isServerName(text.slice(colon + 1));
}

function isOpaqueId(text: string, sigil: string): boolean {
  return text.length > 1 && isBounded(text, sigil);
}

function isBounded(text: string, sigil: string): boolean {
  return text.startsWith(sigil) && fitsBytes(text, MAX_ID_BYTES) && !text.includes('\0') && text.isWellFormed();
}

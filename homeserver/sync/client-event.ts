import { isJsonObject, ownMember } from '../room/json-value.ts';
import { redactContent } from '../room/redaction.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import type { JsonMembers } from './json-members.ts';

/** An event as it is stored. */
export interface StoredEvent {
  readonly eventId: string;
  readonly roomId: string;
  /** The PDU's JSON text. */
  readonly json: string;
  /** Unix ms. */
  readonly originServerTs: number;
  /** Present when the event is redacted: it is then given without what redaction takes away. */
  readonly redaction?: EventRedaction;
}

/** What an event is given with beside its head. */
export type GivenWith = Pick<StoredEvent, 'roomId' | 'originServerTs' | 'redaction'>;

export interface EventRedaction {
  readonly rules: RoomVersionRules;
  /** Undefined when the event is only given as if it were redacted. */
  readonly because?: { readonly eventId: string; readonly json: string; readonly originServerTs: number };
}

/** How and to whom an event is given. */
export interface EventView {
  /** Unix ms, for `unsigned.age`. */
  readonly now: number;
  /** `/sync` leaves the room id out, everything else has it. */
  readonly withRoomId: boolean;
  /** With all that servers give each other. Spec: client-server API, "Filtering", `event_format` (v1.19). */
  readonly federationFormat?: boolean | undefined;
  /** Only for the device that sent the event. */
  readonly transactionId?: string | undefined;
  /** The reader's membership at the event. */
  readonly membership?: string | undefined;
  /** Content of the state event that this one replaced, as JSON text. */
  readonly prevContent?: string | undefined;
  readonly replacesState?: string | undefined;
  /** `m.relations`, as JSON text. */
  readonly relations?: string | undefined;
}

/** Members of a PDU that clients do not get, and those that we write ourselves. */
const DROPPED: ReadonlySet<string> = new Set([
  'auth_events',
  'prev_events',
  'prev_state',
  'hashes',
  'signatures',
  'depth',
  'origin',
  'event_id',
  'room_id',
  'unsigned',
]);

const DROPPED_IN_FEDERATION_FORMAT: ReadonlySet<string> = new Set(['event_id', 'unsigned']);

/**
 * JSON text of an event in the format for clients, cut from the stored text without reading or writing its content again
 * (a redacted event's content is).
 * Spec: client-server API, "Room event format" (v1.19).
 */
export function clientEventJson(event: StoredEvent, view: EventView): string {
  return withUnsigned(view.federationFormat === true ? federationHeadJson(event) : eventHeadJson(event), event, view);
}

/** The event as it came, but for what a redaction takes away; with its id, which most room versions leave out. */
function federationHeadJson(event: StoredEvent): string {
  const members = jsonMembers(event.json);
  const type = jsonString(members.get('type')) ?? '';
  const kept = [...members].filter(([key]) => !DROPPED_IN_FEDERATION_FORMAT.has(key) && !isRedacted(event, key));
  const texts = kept.map(([key, value]) => {
    return `${JSON.stringify(key)}:${key === 'content' ? contentIn(members, type, event) : value},`;
  });
  return `{${texts.join('')}"event_id":${JSON.stringify(event.eventId)},`;
}

/** The event's text up to its id: what is the same for everybody to whom it is given. `withUnsigned` makes it whole. */
export function eventHeadJson(event: StoredEvent): string {
  const members = jsonMembers(event.json);
  const type = jsonString(members.get('type')) ?? '';
  let text = '{';
  for (const [key, value] of members) {
    if (DROPPED.has(key) || isRedacted(event, key)) continue;
    if (key === 'content') text += `"content":${contentFor(type, contentIn(members, type, event), members)},`;
    else text += `${JSON.stringify(key)}:${value},`;
  }
  if (type === 'm.room.redaction') text += topLevelRedacts(members, contentIn(members, type, event));
  return `${text}"event_id":${JSON.stringify(event.eventId)},`;
}

/** A client event from its head. */
export function withUnsigned(head: string, event: GivenWith, view: EventView): string {
  const roomId = view.withRoomId ? `"room_id":${JSON.stringify(event.roomId)},` : '';
  return `${head}${roomId}"unsigned":${unsignedJson(event, view)}}`;
}

/** `{content, sender, state_key, type}` of a state event. Spec: client-server API, "Stripped state" (v1.19). */
export function strippedEventJson(event: StoredEvent): string {
  const members = jsonMembers(event.json);
  const content = contentIn(members, jsonString(members.get('type')) ?? '', event);
  const rest = ['sender', 'state_key', 'type'].map((key) => `"${key}":${members.get(key) ?? 'null'}`);
  return `{"content":${content},${rest.join(',')}}`;
}

/** The content as JSON text, without what a redaction takes away. */
export function eventContentJson(event: StoredEvent): string {
  const members = jsonMembers(event.json);
  return contentIn(members, jsonString(members.get('type')) ?? '', event);
}

function contentIn(members: JsonMembers, type: string, event: StoredEvent): string {
  const content = members.get('content') ?? '{}';
  if (event.redaction === undefined) return content;
  const parsed = parseLooseJson(content);
  if (!parsed.ok || !isJsonObject(parsed.value)) return '{}';
  return JSON.stringify(redactContent(type, parsed.value, event.redaction.rules));
}

function isRedacted(event: StoredEvent, key: string): boolean {
  return event.redaction !== undefined && !event.redaction.rules.redaction.topLevel.has(key);
}

/**
 * From room version 11 on `redacts` stands in the content, before that at the top level: clients get it in both places.
 * Spec: client-server API, "m.room.redaction".
 */
function contentFor(type: string, content: string, members: JsonMembers): string {
  const redacts = members.get('redacts');
  if (type !== 'm.room.redaction' || redacts === undefined) return content;
  const parsed = parseLooseJson(content);
  if (!parsed.ok || !isJsonObject(parsed.value) || ownMember(parsed.value, 'redacts') !== undefined) return content;
  return content === '{}' ? `{"redacts":${redacts}}` : `{"redacts":${redacts},${content.trimStart().slice(1)}`;
}

function topLevelRedacts(members: JsonMembers, content: string): string {
  if (members.has('redacts')) return '';
  const redacts = jsonMembers(content).get('redacts');
  return redacts === undefined ? '' : `"redacts":${redacts},`;
}

function unsignedJson(event: GivenWith, view: EventView): string {
  let text = `{"age":${view.now - event.originServerTs}`;
  if (view.membership !== undefined) text += `,"membership":${JSON.stringify(view.membership)}`;
  if (view.transactionId !== undefined) text += `,"transaction_id":${JSON.stringify(view.transactionId)}`;
  if (view.prevContent !== undefined) text += `,"prev_content":${view.prevContent}`;
  if (view.replacesState !== undefined) text += `,"replaces_state":${JSON.stringify(view.replacesState)}`;
  if (view.relations !== undefined) text += `,"m.relations":${view.relations}`;
  const because = event.redaction?.because;
  if (because !== undefined) text += `,"redacted_because":${becauseJson({ ...because, roomId: event.roomId }, view)}`;
  return `${text}}`;
}

function becauseJson(because: StoredEvent, view: EventView): string {
  return clientEventJson(because, { now: view.now, withRoomId: view.withRoomId });
}

import { isJsonObject, ownMember, ownObject, ownString, type JsonObject } from '../room/json-value.ts';
import { parseEventId } from '../room/identifiers.ts';
import type { NewEvent } from '../storage/write-batch.ts';

/** Numbers of `memberships.membership`. */
const MEMBERSHIPS: ReadonlyMap<string, number> = new Map([
  ['join', 1],
  ['invite', 2],
  ['leave', 3],
  ['ban', 4],
  ['knock', 5],
]);

/** Numbers of `event_relations.rel_type`; 0 is any other type. */
const RELATION_TYPES: ReadonlyMap<string, number> = new Map([
  ['m.annotation', 1],
  ['m.replace', 2],
  ['m.thread', 3],
  ['m.reference', 4],
]);

/** True for events that the default push rules notify of: text that is no notice and no edit, and encrypted events. */
export function isCountable(type: string, content: JsonObject): boolean {
  if (ownString(ownObject(content, 'm.relates_to') ?? {}, 'rel_type') === 'm.replace') return false;
  if (type === 'm.room.message') return ownString(content, 'msgtype') !== 'm.notice';
  return type === 'm.room.encrypted';
}

/**
 * True when the default push rules need no look into the event, unless it `isUnmarkedText`: it mentions nobody, and is no state but a
 * membership. Who is in a room is not told of memberships by these rules.
 */
export function isPlain(type: string, stateKey: string | undefined, content: JsonObject): boolean {
  return (stateKey === undefined || type === 'm.room.member') && !mentionsSomebody(content);
}

function mentionsSomebody(content: JsonObject): boolean {
  const mentions = ownObject(content, 'm.mentions') ?? {};
  const users = ownMember(mentions, 'user_ids');
  return ownMember(mentions, 'room') === true || (Array.isArray(users) && users.length > 0);
}

/** True for a text of which the sender has not said whom it mentions: rules look for names in it. A notice notifies nobody all the same. */
export function isUnmarkedText(stateKey: string | undefined, content: JsonObject): boolean {
  if (stateKey !== undefined || ownMember(content, 'm.mentions') !== undefined) return false;
  return ownString(content, 'body') !== undefined && ownString(content, 'msgtype') !== 'm.notice';
}

/** What an event relates to, if it says so in a usable way. Spec: client-server API, "Forming relationships" (v1.19). */
export function relationOf(content: JsonObject): NewEvent['relation'] {
  const relation = ownObject(content, 'm.relates_to');
  if (!isJsonObject(relation)) return undefined;
  const relType = ownString(relation, 'rel_type');
  const parentId = parseEventId(ownString(relation, 'event_id') ?? '');
  if (relType === undefined || parentId === undefined) return undefined;
  const key = relType === 'm.annotation' ? ownString(relation, 'key') : undefined;
  return { relType: RELATION_TYPES.get(relType) ?? 0, parentId, key };
}

/** The number under which the membership of an m.room.member event is stored; undefined for one that does not exist. */
export function membershipNo(content: JsonObject): number | undefined {
  return MEMBERSHIPS.get(ownString(content, 'membership') ?? '');
}

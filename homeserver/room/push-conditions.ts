import { compileGlob, compileWordGlob, compileWords } from './glob.ts';
import { isJsonInteger, ownMember, ownString, type JsonObject, type JsonValue } from './json-value.ts';
import { parsePropertyPath, propertyAt } from './property-path.ts';

/** What conditions may ask about beside the event. */
export interface PushContext {
  /** Users joined to the room. */
  readonly memberCount: number;
  /** Display name of the rules' owner in the room. */
  readonly displayName: string | undefined;
  /** Whether the sender has the power that `notifications.<key>` of the room's power levels asks for. */
  mayNotify(sender: string, key: string): boolean;
}

/** What a condition looks at. `event` has `room_id` and `event_id` beside the members of the PDU. */
export interface PushSubject {
  readonly event: JsonObject;
  readonly context: PushContext;
}

export type PushTest = (subject: PushSubject) => boolean;

/** What has to be known of an event and its room before a rule can be tried. */
export interface RuleNeeds {
  /** More than type, sender and room: somebody has to look into the event. */
  readonly content: boolean;
  readonly displayName: boolean;
  readonly power: boolean;
}

export interface CompiledCondition {
  readonly test: PushTest;
  readonly needs: RuleNeeds;
}

const NOTHING: RuleNeeds = { content: false, displayName: false, power: false };
const CONTENT: RuleNeeds = { ...NOTHING, content: true };
const KNOWN_WITHOUT_LOOKING: ReadonlySet<string> = new Set(['type', 'sender', 'room_id']);
const MEMBER_COUNT = /^(==|<=|>=|<|>)?(\d{1,15})$/;
const BODY = ['content', 'body'];

/**
 * Compiles a condition; undefined for one that matches nothing: of an unknown kind, or not as its kind wants it.
 * Spec: client-server API, "Push Rules: Conditions" (v1.19).
 */
export function compileCondition(condition: JsonObject): CompiledCondition | undefined {
  switch (ownString(condition, 'kind')) {
    case 'event_match':
      return eventMatch(ownString(condition, 'key'), ownString(condition, 'pattern'));
    case 'event_property_is':
      return property(condition, (found, value) => found === value);
    case 'event_property_contains':
      return property(condition, (found, value) => Array.isArray(found) && contains(found, value));
    case 'contains_display_name':
      return { test: containsDisplayName, needs: { ...CONTENT, displayName: true } };
    case 'room_member_count':
      return memberCount(ownString(condition, 'is') ?? '');
    case 'sender_notification_permission':
      return permission(ownString(condition, 'key'));
    case undefined:
    default:
      return undefined;
  }
}

/** Matches the body by words, as rules of the kind content do. */
export function bodyTest(pattern: string): CompiledCondition {
  const matches = compileWordGlob(pattern);
  return { test: ({ event }) => isText(propertyAt(event, BODY), matches), needs: CONTENT };
}

/** Compares a member of the event itself, as rules of the kinds room and sender do. */
export function memberTest(key: 'room_id' | 'sender', value: string): CompiledCondition {
  return { test: ({ event }) => ownMember(event, key) === value, needs: NOTHING };
}

function eventMatch(key: string | undefined, pattern: string | undefined): CompiledCondition | undefined {
  if (key === undefined || pattern === undefined) return undefined;
  const path = parsePropertyPath(key);
  if (path.join('.') === 'content.body' && path.length === 2) return bodyTest(pattern);
  const matches = compileGlob(pattern);
  const needs = KNOWN_WITHOUT_LOOKING.has(key) ? NOTHING : CONTENT;
  return { test: ({ event }) => isText(propertyAt(event, path), matches), needs };
}

function isText(value: JsonValue | undefined, matches: (text: string) => boolean): boolean {
  return typeof value === 'string' && matches(value);
}

function property(
  condition: JsonObject,
  holds: (found: JsonValue, value: JsonValue) => boolean,
): CompiledCondition | undefined {
  const key = ownString(condition, 'key');
  const value = ownMember(condition, 'value');
  if (key === undefined || !isPlainValue(value)) return undefined;
  const path = parsePropertyPath(key);
  const test: PushTest = ({ event }) => {
    const found = propertyAt(event, path);
    return found !== undefined && holds(found, value);
  };
  return { test, needs: CONTENT };
}

function isPlainValue(value: JsonValue | undefined): value is string | number | boolean | null {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || isJsonInteger(value);
}

function contains(list: readonly JsonValue[], value: JsonValue): boolean {
  return list.includes(value);
}

const containsDisplayName: PushTest = ({ event, context }) => {
  const { displayName } = context;
  if (displayName === undefined || displayName === '') return false;
  return isText(propertyAt(event, BODY), compileWords(displayName));
};

const COMPARISONS: Readonly<Record<string, (count: number, limit: number) => boolean>> = {
  '==': (count, limit) => count === limit,
  '<': (count, limit) => count < limit,
  '>': (count, limit) => count > limit,
  '<=': (count, limit) => count <= limit,
  '>=': (count, limit) => count >= limit,
};

function memberCount(is: string): CompiledCondition | undefined {
  const [, sign = '==', number] = MEMBER_COUNT.exec(is) ?? [];
  const compare = COMPARISONS[sign];
  if (number === undefined || compare === undefined) return undefined;
  const limit = Number(number);
  return { test: ({ context }) => compare(context.memberCount, limit), needs: NOTHING };
}

function permission(key: string | undefined): CompiledCondition | undefined {
  if (key === undefined) return undefined;
  const test: PushTest = ({ event, context }) => context.mayNotify(ownString(event, 'sender') ?? '', key);
  return { test, needs: { ...NOTHING, power: true } };
}

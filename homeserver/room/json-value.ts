import type { LooseNumber } from './loose-number.ts';
import { isLooseNumber } from './loose-number.ts';

/** What JSON can hold; what an event's content is made of. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject | LooseNumber;

/** A JSON object; read keys that come from outside with `ownMember`, never with a plain index. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** True for an object, false for arrays, null and numbers. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isLooseNumber(value);
}

/** True for an integer that JSON of the Matrix kind can carry: within ±(2^53-1). */
export function isJsonInteger(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

/** The object's own member of that name: a key named `constructor` must not find what every object inherits. */
export function ownMember(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** The object's own member if it is an object. */
export function ownObject(object: JsonObject, key: string): JsonObject | undefined {
  const value = ownMember(object, key);
  return isJsonObject(value) ? value : undefined;
}

/** The object's own member if it is a string. */
export function ownString(object: JsonObject, key: string): string | undefined {
  const value = ownMember(object, key);
  return typeof value === 'string' ? value : undefined;
}

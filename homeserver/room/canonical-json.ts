import type { JsonObject, JsonValue } from './json-value.ts';
import { isLooseNumber, type LooseNumber } from './loose-number.ts';

export type { JsonObject, JsonValue } from './json-value.ts';

/**
 * Deepest nesting we encode or read, counted in objects and arrays. Deep JSON must end in a refusal and not in an
 * exhausted stack; parsers in use among other servers stop at 128 (serde_json) or about 1,000 (Python).
 */
export const MAX_JSON_DEPTH = 1000;

/** Anything but the characters that stand for themselves: controls, quote, backslash, surrogates. */
const NEEDS_ESCAPE_OR_CHECK = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;
const BEYOND_SURROGATES_START = /[\ud800-\uffff]/;

/** Steps of a path that an error keeps, the innermost ones. */
const MAX_PATH_STEPS = 32;

/** A value has no canonical form; `path` says where (`content`, `body`), `because` what is wrong. */
export class CanonicalJsonError extends Error {
  override readonly name = 'CanonicalJsonError';
  readonly because: string;
  readonly #path: string[] = [];

  constructor(because: string) {
    super(because);
    this.because = because;
  }

  get path(): readonly string[] {
    return this.#path;
  }

  /** Puts one step before the path. */
  within(step: string): this {
    if (this.#path.length >= MAX_PATH_STEPS) return this;
    this.#path.unshift(step);
    this.message = `${this.#path.join('.')}: ${this.because}`;
    return this;
  }
}

/**
 * The one text of a JSON value that hashes and signatures cover: no white space, keys by code point, integers only.
 * Throws CanonicalJsonError. A minus zero is written `0`, as the published example wants. A `LooseNumber` is written as
 * the text that it keeps: `looseNumberIn` finds those that a room version does not allow.
 *
 * Spec: Appendices, "Canonical JSON".
 */
export function canonicalJson(value: JsonValue): string {
  return encode(value, 0);
}

/** The first number in a value that canonical JSON does not allow, if there is one; nesting must be bounded already. */
export function looseNumberIn(value: JsonValue): LooseNumber | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (isLooseNumber(value)) return value;
  for (const member of isArray(value) ? value : Object.values(value)) {
    const found = looseNumberIn(member);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The members of an object as pairs of key and canonical text, in the order of the object's own keys. */
export function canonicalMembers(object: JsonObject): [key: string, text: string][] {
  return Object.keys(object).map((key) => [key, encodeMember(object, key, 1)]);
}

/** The canonical text of an object whose members are encoded already; keys must differ. */
export function joinMembers(members: readonly (readonly [key: string, text: string])[]): string {
  const sorted = members.toSorted(([a], [b]) => compareCodePoints(a, b));
  return `{${sorted.map(([key, text]) => `${encodeString(key)}:${text}`).join(',')}}`;
}

/** Orders strings by Unicode code point, which `<` does not: it puts U+1F600 before U+FFFD. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Moves surrogates (code points from U+10000) behind the last code unit of the basic plane. */
function codePointRank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}

function encode(value: JsonValue, depth: number): string {
  if (typeof value === 'string') return encodeString(value);
  if (typeof value === 'number') return encodeNumber(value);
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  return encodeNested(value, depth + 1);
}

function encodeNested(value: readonly JsonValue[] | JsonObject | LooseNumber, depth: number): string {
  if (typeof value !== 'object') throw new CanonicalJsonError(`a value of type ${typeof value} is not JSON`);
  if (depth > MAX_JSON_DEPTH) throw new CanonicalJsonError(`nested deeper than ${MAX_JSON_DEPTH} levels`);
  if (isLooseNumber(value)) return value.text;
  return isArray(value) ? encodeArray(value, depth) : encodeObject(value, depth);
}

/** Array.isArray does not narrow away readonly arrays by itself. */
function isArray(value: readonly JsonValue[] | JsonObject): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function encodeNumber(value: number): string {
  if (Number.isSafeInteger(value)) return value === 0 ? '0' : String(value);
  throw new CanonicalJsonError(Number.isInteger(value) ? 'an integer beyond 2^53-1' : 'a number that is no integer');
}

function encodeString(value: string): string {
  if (!NEEDS_ESCAPE_OR_CHECK.test(value)) return `"${value}"`;
  if (!value.isWellFormed()) throw new CanonicalJsonError('a lone surrogate');
  // JSON.stringify escapes exactly what the grammar escapes, in the same spelling.
  return JSON.stringify(value);
}

function encodeArray(values: readonly JsonValue[], depth: number): string {
  let text = '';
  let index = 0;
  try {
    for (const value of values) {
      text += index === 0 ? encode(value, depth) : `,${encode(value, depth)}`;
      index++;
    }
  } catch (error) {
    throw withPath(error, String(index));
  }
  return `[${text}]`;
}

function encodeObject(object: JsonObject, depth: number): string {
  let text = '';
  for (const key of sortedKeys(object)) {
    if (text !== '') text += ',';
    text += `${encodeString(key)}:${encodeMember(object, key, depth)}`;
  }
  return `{${text}}`;
}

function encodeMember(object: JsonObject, key: string, depth: number): string {
  try {
    const value = object[key];
    if (value === undefined) throw new CanonicalJsonError('undefined is not JSON');
    return encode(value, depth);
  } catch (error) {
    throw withPath(error, key);
  }
}

function withPath(error: unknown, step: string): unknown {
  return error instanceof CanonicalJsonError ? error.within(step) : error;
}

/** Native comparison first: it is right unless a key reaches beyond U+D7FF, and keys mostly come sorted already. */
function sortedKeys(object: JsonObject): string[] {
  const keys = Object.keys(object);
  let sorted = true;
  let plain = true;
  let previous = '';
  for (const key of keys) {
    sorted &&= previous <= key;
    plain &&= !BEYOND_SURROGATES_START.test(key);
    previous = key;
  }
  if (!plain) return keys.sort(compareCodePoints);
  return sorted ? keys : keys.sort((a, b) => (a < b ? -1 : 1));
}

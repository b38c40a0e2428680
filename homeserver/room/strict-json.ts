import { MAX_JSON_DEPTH } from './canonical-json.ts';
import { endOfString, hasEscapedKey, parseWithEscapedKeys } from './escaped-keys.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json-value.ts';
import { LooseNumber } from './loose-number.ts';

declare global {
  interface JSON {
    /** With the text of each number; ECMAScript proposal "JSON.parse source text access", in Node since version 21. */
    parse(
      text: string,
      reviver: (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
  }
}

/** What reading a text as strict JSON gives. */
export type StrictJson = { ok: true; value: JsonValue } | { ok: false; because: string };

const QUOTE = 0x22;
const MINUS = 0x2d;
const NUMBER = /-?\d[\d.eE+-]*/y;
const STRICT_INTEGER = /^(?:0|-?[1-9]\d{0,15})$/;

/**
 * Reads JSON text and refuses what canonical JSON cannot carry but JSON.parse would blur: `1.0`, `1e3`, `-0`,
 * integers beyond ±(2^53-1), nesting beyond MAX_JSON_DEPTH. Room versions from 6 on drop events with such text.
 *
 * Spec: Appendices, "Canonical JSON"; room version 6, "Canonical JSON".
 */
export function parseStrictJson(text: string): StrictJson {
  const fault = faultIn(text);
  return fault === undefined ? read(text) : { ok: false, because: fault.because };
}

/**
 * Reads JSON text of any room version: numbers that are no plain integers, which versions before 6 allow, become a
 * `LooseNumber` each. Such numbers in an event of a later version are for `parsePdu` to refuse.
 *
 * Spec: room version 1, "Canonical JSON".
 */
export function parseLooseJson(text: string): StrictJson {
  const fault = faultIn(text);
  if (fault === undefined) return read(text);
  if (!fault.loose) return { ok: false, because: fault.because };
  return isTooDeep(text) ? { ok: false, because: TOO_DEEP.because } : read(text, { loose: true });
}

/**
 * Reads JSON text that is no event (own data of users, filters): fractions are numbers like others. Throws SyntaxError for what is
 * not JSON or nested too deeply.
 */
export function parsePlainJson(text: string): JsonValue {
  const value = parsePlain(text);
  if (!isParsedJson(value)) throw new SyntaxError('not JSON');
  if (!hasEscapedKey(text)) return value;
  if (isTooDeep(text)) throw new SyntaxError(TOO_DEEP.because);
  return parseWithEscapedKeys(text, Number);
}

/** The same of which only an object counts: without a text, and with one of another shape, it is empty. */
export function parseJsonObject(text: string | undefined): JsonObject {
  const value = text === undefined ? undefined : parsePlainJson(text);
  return isJsonObject(value) ? value : {};
}

function numberOf(source: string): JsonValue {
  if (isStrictInteger(source)) return Number(source);
  const loose = LooseNumber.parse(source);
  if (loose === undefined) throw new RangeError('a number beyond the range of doubles');
  return loose.text === '0' ? 0 : loose;
}

function read(text: string, { loose }: { loose: boolean } = { loose: false }): StrictJson {
  try {
    const value = hasEscapedKey(text) ? parseEscaped(text) : loose ? parseLoose(text) : parsePlain(text);
    return isParsedJson(value) ? { ok: true, value } : { ok: false, because: 'not JSON' };
  } catch (error) {
    return { ok: false, because: error instanceof RangeError ? error.message : 'not JSON' };
  }
}

function parsePlain(text: string): unknown {
  return JSON.parse(text);
}

function parseLoose(text: string): unknown {
  return JSON.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? numberOf(source) : value,
  );
}

/** What is not JSON is found by JSON.parse here, too; only its outcome is of no use. */
function parseEscaped(text: string): unknown {
  JSON.parse(text);
  return parseWithEscapedKeys(text, numberOf);
}

/** Only for what JSON.parse returned: that is a JSON value by construction. */
function isParsedJson(value: unknown): value is JsonValue {
  return value !== undefined;
}

/** `loose`: room versions before 6 allow it. */
interface Fault {
  readonly because: string;
  readonly loose: boolean;
}

const TOO_DEEP: Fault = { because: `nested deeper than ${MAX_JSON_DEPTH} levels`, loose: false };

/** Numbers do not matter here. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; ) {
    const unit = text.charCodeAt(at);
    depth += nesting(unit);
    if (depth > MAX_JSON_DEPTH) return true;
    at = unit === QUOTE ? endOfString(text, at) : at + 1;
  }
  return false;
}

function faultIn(text: string): Fault | undefined {
  let depth = 0;
  let at = 0;
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) at = endOfString(text, at);
    else if (isNumberStart(unit)) {
      const number = numberAt(text, at);
      if (!isStrictInteger(number)) return looseFault(number);
      at += number.length;
    } else {
      depth += nesting(unit);
      if (depth > MAX_JSON_DEPTH) return TOO_DEEP;
      at++;
    }
  }
  return undefined;
}

function looseFault(number: string): Fault {
  return { because: `the number ${number.slice(0, 24)} is not a plain integer within 2^53-1`, loose: true };
}

function isNumberStart(unit: number): boolean {
  return unit === MINUS || (unit >= 0x30 && unit <= 0x39);
}

/** +1 for `{` and `[`, -1 for `}` and `]`. */
function nesting(unit: number): number {
  if (unit === 0x7b || unit === 0x5b) return 1;
  return unit === 0x7d || unit === 0x5d ? -1 : 0;
}

function numberAt(text: string, at: number): string {
  NUMBER.lastIndex = at;
  return NUMBER.exec(text)?.[0] ?? '-';
}

function isStrictInteger(number: string): boolean {
  return STRICT_INTEGER.test(number) && Number.isSafeInteger(Number(number));
}

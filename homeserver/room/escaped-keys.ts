import type { JsonValue } from './json-value.ts';

const ESCAPE = '\\';
const QUOTE = '"';
const SPACE = /[ \t\n\r]*/y;
const SCALAR = /true|false|null|-?\d[\d.eE+-]*/y;

/**
 * True if a key of the text is written with an escape. JSON.parse of V8 13.6 (Node 24) reads such keys wrongly once it has
 * seen an object with a key that ends in a backslash at the same place: after `{"\\":1}`, `{"\n":1}` gets the key `\`.
 * Another hash of an event, and another meaning, would be what an attacker makes of that.
 */
export function hasEscapedKey(text: string): boolean {
  if (!text.includes(ESCAPE)) return false;
  for (let at = text.indexOf(QUOTE); at !== -1; ) {
    const end = endOfString(text, at);
    SPACE.lastIndex = end;
    const space = SPACE.exec(text)?.[0].length ?? 0;
    if (text[end + space] === ':' && text.slice(at, end).includes(ESCAPE)) return true;
    at = text.indexOf(QUOTE, end);
  }
  return false;
}

/** The index after the closing quote of the string that starts there; the end of the text if there is none. */
export function endOfString(text: string, start: number): number {
  let quote = text.indexOf(QUOTE, start + 1);
  while (quote !== -1 && isEscaped(text, quote)) quote = text.indexOf(QUOTE, quote + 1);
  return quote === -1 ? text.length : quote + 1;
}

/** True if an odd number of backslashes stands before the index. */
function isEscaped(text: string, index: number): boolean {
  let first = index;
  while (text[first - 1] === ESCAPE) first--;
  return (index - first) % 2 === 1;
}

/**
 * Reads JSON as JSON.parse should. Only for text that JSON.parse takes and whose nesting is bounded; `number` makes the
 * value of a number from its text.
 */
export function parseWithEscapedKeys(text: string, number: (source: string) => JsonValue): JsonValue {
  return new Reader(text, number).value();
}

class Reader {
  readonly #text: string;
  readonly #number: (source: string) => JsonValue;
  #at = 0;

  constructor(text: string, number: (source: string) => JsonValue) {
    this.#text = text;
    this.#number = number;
  }

  value(): JsonValue {
    this.#take(SPACE);
    const first = this.#text[this.#at];
    if (first === '{') return this.#object();
    if (first === '[') return this.#array();
    return first === QUOTE ? this.#string() : this.#scalar();
  }

  #object(): JsonValue {
    const members: [string, JsonValue][] = [];
    for (this.#step(); !this.#ends('}'); ) {
      const key = this.#string();
      this.#take(SPACE);
      this.#step();
      members.push([key, this.value()]);
    }
    return Object.fromEntries(members);
  }

  #array(): JsonValue {
    const values: JsonValue[] = [];
    for (this.#step(); !this.#ends(']'); ) values.push(this.value());
    return values;
  }

  /** Goes on to the next member or element; true behind the last one. */
  #ends(closing: string): boolean {
    this.#take(SPACE);
    if (this.#text[this.#at] === ',') this.#step();
    this.#take(SPACE);
    if (this.#text[this.#at] !== closing) return false;
    this.#step();
    return true;
  }

  #string(): string {
    const end = endOfString(this.#text, this.#at);
    const literal = this.#text.slice(this.#at, end);
    this.#at = end;
    const value: unknown = JSON.parse(literal);
    if (typeof value !== 'string') throw new SyntaxError('not a string');
    return value;
  }

  #scalar(): JsonValue {
    const source = this.#take(SCALAR);
    if (source === 'true') return true;
    if (source === 'false') return false;
    return source === 'null' ? null : this.#number(source);
  }

  #step(): void {
    this.#at += 1;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += taken.length;
    return taken;
  }
}

/** Says whether a text matches; the case of letters does not matter. */
export type TextTest = (text: string) => boolean;

/** Characters that the search for one part with a `?` may compare in one text; what lies beyond is not searched. */
const MAX_STEPS = 500_000;

/**
 * Compiles a pattern in which `*` stands for any characters and `?` for one. The whole text has to match. Matching goes through the
 * text part by part without going back, whatever the pattern. Spec: Appendices, "Glob-style matching".
 */
export function compileGlob(pattern: string): TextTest {
  const parts = partsOf(pattern);
  const [first, ...middle] = parts;
  const last = middle.pop();
  return (text) => {
    const low = text.toLowerCase();
    const end = first.matchAt(low, 0);
    if (last === undefined) return end === low.length;
    const from = end === -1 ? -1 : endAfter(low, end, middle);
    return from !== -1 && last.isAtEnd(low, from);
  };
}

/**
 * The same for any stretch of the text that begins and ends at a word boundary: at an end of the text, or beside a character that is
 * no letter from A to Z, no digit and no underscore. Spec: client-server API, "Push Rules: Conditions" (v1.19).
 */
export function compileWordGlob(pattern: string): TextTest {
  return wordTest(partsOf(pattern));
}

/** The same for a text that is no pattern: `*` and `?` stand for themselves. */
export function compileWords(text: string): TextTest {
  return wordTest([new Part(text.toLowerCase(), false)]);
}

function wordTest([first, ...middle]: readonly [Part, ...Part[]]): TextTest {
  const last = middle.pop();
  return (text) => {
    const low = text.toLowerCase();
    const end = endOfWord(low, first, { from: 0, starts: true, ends: last === undefined });
    if (last === undefined || end === -1) return end !== -1;
    const from = endAfter(low, end, middle);
    return from !== -1 && (last.isEmpty || endOfWord(low, last, { from, starts: false, ends: true }) !== -1);
  };
}

/** A stretch of a pattern without `*`, in lower case. */
class Part {
  readonly isEmpty: boolean;
  readonly #text: string;
  readonly #hasAny: boolean;

  constructor(text: string, isPattern: boolean) {
    this.#text = text;
    this.isEmpty = text === '';
    this.#hasAny = isPattern && text.includes('?');
  }

  /** Where the part ends if it stands at `at`, else -1. */
  matchAt(text: string, at: number): number {
    if (!this.#hasAny) return text.startsWith(this.#text, at) ? at + this.#text.length : -1;
    // A `?` must not take the second half of a character.
    if (at > 0 && lengthAt(text, at - 1) === 2) return -1;
    let end = at;
    for (const char of this.#text) {
      if (end >= text.length) return -1;
      if (char === '?') end += lengthAt(text, end);
      else if (text.startsWith(char, end)) end += char.length;
      else return -1;
    }
    return end;
  }

  /** The first place from `from` on at which the part stands, else -1. */
  find(text: string, from: number): number {
    if (!this.#hasAny) return text.indexOf(this.#text, from);
    const stop = Math.min(text.length, from + Math.ceil(MAX_STEPS / this.#text.length));
    for (let at = from; at < stop; at += 1) if (this.matchAt(text, at) !== -1) return at;
    return -1;
  }

  /** Whether the part stands at the very end, behind `from`. */
  isAtEnd(text: string, from: number): boolean {
    // A `?` takes one or two units of the text.
    const longest = this.#hasAny ? this.#text.length * 2 : this.#text.length;
    for (let at = Math.max(from, text.length - longest); at <= text.length; at += 1) {
      if (this.matchAt(text, at) === text.length) return true;
    }
    return false;
  }
}

function partsOf(pattern: string): [Part, ...Part[]] {
  const [first = '', ...others] = pattern.toLowerCase().split('*');
  const needed = others.filter((text, i) => text !== '' || i === others.length - 1);
  return [new Part(first, true), ...needed.map((text) => new Part(text, true))];
}

/** A character outside the basic plane is one character, though two units. */
function lengthAt(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

/** Where the last of the parts ends when each is taken at its first place behind the one before; -1 when one is missing. */
function endAfter(text: string, from: number, parts: readonly Part[]): number {
  let end = from;
  for (const part of parts) {
    const at = part.find(text, end);
    if (at === -1) return -1;
    end = part.matchAt(text, at);
  }
  return end;
}

interface WordSearch {
  readonly from: number;
  /** It has to start, or to end, at a word boundary. */
  readonly starts: boolean;
  readonly ends: boolean;
}

/** Where the first fitting occurrence of the part ends, else -1. */
function endOfWord(text: string, part: Part, { from, starts, ends }: WordSearch): number {
  for (let at = part.find(text, from); at !== -1; at = part.find(text, at + 1)) {
    const end = part.matchAt(text, at);
    if ((!starts || isBoundary(text, at - 1)) && (!ends || isBoundary(text, end))) return end;
    if (at >= text.length) return -1;
  }
  return -1;
}

/** Whether the text has no character of a word at `at`. */
function isBoundary(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  if (Number.isNaN(unit)) return true;
  const isDigit = unit >= 0x30 && unit <= 0x39;
  const isLetter = unit >= 0x61 && unit <= 0x7a;
  return !isDigit && !isLetter && unit !== 0x5f;
}

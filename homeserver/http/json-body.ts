import { isUtf8 } from 'node:buffer';
import { MatrixError } from '../errors.ts';
import { hasEscapedKey, parseWithEscapedKeys } from '../room/escaped-keys.ts';

/** Deepest nesting of objects and arrays in a request body; an event of 65,536 bytes needs far less. */
const MAX_DEPTH = 100;

/**
 * The JSON value of a request body, whatever its content type said.
 * Errors: M_NOT_JSON (not UTF-8, not JSON), M_BAD_JSON (nested too deeply, NUL characters, lone surrogates: neither
 * canonical JSON nor PostgreSQL can hold them).
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new MatrixError('M_NOT_JSON', 'The request body is not valid UTF-8.');
  const text = bytes.toString('utf8');
  const value = parse(text);
  checkValue(value, text.includes('\\u'));
  if (!hasEscapedKey(text)) return value;
  // The engine misreads such keys; now that the nesting is known to be bounded they can be read aright.
  const reread = parseWithEscapedKeys(text, Number);
  checkValue(reread, true);
  return reread;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MatrixError('M_NOT_JSON', undefined, { cause });
  }
}

/**
 * Walks level by level, so that nesting costs no stack. In valid UTF-8 only a backslash-u escape can bring a lone surrogate
 * or a NUL (a raw one is not JSON), so texts without one are not looked at.
 */
function checkValue(root: unknown, hasEscapes: boolean): void {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) throw new MatrixError('M_BAD_JSON', `The body is nested deeper than ${MAX_DEPTH} levels.`);
    const next: unknown[] = [];
    for (const value of level) collectChildren(value, hasEscapes, next);
    level = next;
  }
}

function collectChildren(value: unknown, hasEscapes: boolean, into: unknown[]): void {
  if (typeof value === 'string') {
    if (hasEscapes) checkText(value);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (hasEscapes && !Array.isArray(value)) for (const key of Object.keys(value)) checkText(key);
  for (const item of Object.values(value)) if (isNested(item, hasEscapes)) into.push(item);
}

function isNested(value: unknown, hasEscapes: boolean): boolean {
  return (typeof value === 'object' && value !== null) || (hasEscapes && typeof value === 'string');
}

function checkText(text: string): void {
  const fault = faultOfText(text);
  if (fault !== undefined) throw new MatrixError('M_BAD_JSON', `The body holds ${fault}, which is not allowed.`);
}

/** What makes a text unfit for storage, in words, or undefined when it is fine. */
export function faultOfText(text: string): string | undefined {
  if (text.includes('\0')) return 'a NUL character';
  return text.isWellFormed() ? undefined : 'a lone surrogate';
}

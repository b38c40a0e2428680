import { expect } from 'vitest';

/** A text that fits the pattern, inside an expected value; typed, unlike vitest's own. */
export function matching(pattern: RegExp): unknown {
  return expect.stringMatching(pattern);
}

/** Any text, inside an expected value. */
export function anyText(): unknown {
  return expect.any(String);
}

/** Any number, inside an expected value. */
export function anyNumber(): unknown {
  return expect.any(Number);
}

/** `expect.stringContaining`, typed: like the above. */
export function containing(part: string): unknown {
  return expect.stringContaining(part);
}

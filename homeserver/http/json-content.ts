import * as z from 'zod';
import type { JsonObject } from '../room/json-value.ts';

/**
 * A JSON object that is kept as it came, with members of any name (zod's own objects lose `__proto__`): content of an event. It comes
 * from a parsed body, so it is JSON; what canonical JSON cannot carry (fractions, say) is refused where the event is made.
 */
export const JsonContent = z.unknown().transform((value, ctx): JsonObject => {
  if (isObject(value)) return value;
  ctx.issues.push({ code: 'invalid_type', expected: 'object', input: value });
  return z.NEVER;
});

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A reason in a membership event. */
export const Reason = z.string().max(4096).optional();

/** `{ reason }` as a part of a call: absent when there is none. */
export function withReason(body: { reason?: string | undefined }): { reason?: string } {
  return body.reason === undefined ? {} : { reason: body.reason };
}

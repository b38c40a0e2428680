import * as z from 'zod';
import type { JsonObject } from '../room/json-value.ts';

/**
 * A JSON object that is kept as it came: content of an event. It comes from a parsed body, so it is JSON; what canonical JSON cannot
 * carry (fractions, say) is refused where the event is made.
 */
export const JsonContent = z.looseObject({}).pipe(z.custom<JsonObject>());

/** A reason in a membership event. */
export const Reason = z.string().max(4096).optional();

/** `{ reason }` as a part of a call: absent when there is none. */
export function withReason(body: { reason?: string | undefined }): { reason?: string } {
  return body.reason === undefined ? {} : { reason: body.reason };
}

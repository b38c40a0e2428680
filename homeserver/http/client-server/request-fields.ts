import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { parseRoomId, type RoomId } from '../../room/identifiers.ts';
import type { Requester } from '../endpoint.ts';

/** Path parameters and query members that several endpoints share. */
export const idField = z.string().min(1).max(255);

/** Longest reason of a report, in UTF-16 units. */
export const MAX_REASON = 4096;

export const RoomParams = z.object({ roomId: idField });

const MAX_TAG_BYTES = 255;

/** Names a tag of a room. */
export const TagParams = z.object({
  userId: idField,
  roomId: idField,
  tag: z
    .string()
    .min(1)
    .refine((tag) => Buffer.byteLength(tag) <= MAX_TAG_BYTES, `may have at most ${MAX_TAG_BYTES} bytes`),
});

/** `true` or `false` in a query. */
export const booleanField = z.enum(['true', 'false']).transform((text) => text === 'true');

/** A whole number in a query, at least `min`; what is above `max` counts as `max`. */
export const numberField = (min: number, max: number) =>
  z.coerce
    .number()
    .int()
    .min(min)
    .transform((value) => Math.min(value, max));

/** Some paths name the user, who must be the caller. Errors: M_FORBIDDEN. */
export function checkOwnUser(requester: Requester, userId: string): void {
  if (userId !== requester.userId) throw new MatrixError('M_FORBIDDEN', 'This can be done for your own user only.');
}

/** Errors: M_INVALID_PARAM. */
export function checkRoomId(roomId: string): void {
  if (parseRoomId(roomId) === undefined) throw new MatrixError('M_INVALID_PARAM', 'roomId: is not a valid room id.');
}

/** The room id in a path where an unknown room may be told from others. Errors: M_NOT_FOUND for what is no room id. */
export function knownRoomId(text: string): RoomId {
  const roomId = parseRoomId(text);
  if (roomId === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such room here.');
  return roomId;
}

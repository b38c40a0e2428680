import * as z from 'zod';
import { MatrixError } from '../errors.ts';
import { parseRoomId, parseUserId } from '../room/identifiers.ts';
import { parsePlainJson } from '../room/strict-json.ts';

/** Bounds of a filter, so that matching an event costs little whatever a client sends. */
const MAX_TYPES = 200;
const MAX_IDS = 10_000;
const MAX_FILTER_BYTES = 262_144;

const userIds = z
  .array(z.string().refine((text) => parseUserId(text) !== undefined, 'user ids (@name:server) are allowed'))
  .max(MAX_IDS);
const roomIds = z
  .array(z.string().refine((text) => parseRoomId(text) !== undefined, 'room ids (!...) are allowed'))
  .max(MAX_IDS);
const types = z.array(z.string().max(255)).max(MAX_TYPES);

const eventFilterMembers = {
  limit: z.int().min(0).optional(),
  senders: userIds.optional(),
  not_senders: userIds.optional(),
  types: types.optional(),
  not_types: types.optional(),
};

/** Spec: client-server API, "Filtering", EventFilter (v1.19). */
export const EventFilter = z.looseObject(eventFilterMembers);

/** Spec: client-server API, "Filtering", RoomEventFilter (v1.19). */
export const RoomEventFilter = z.looseObject({
  ...eventFilterMembers,
  rooms: roomIds.optional(),
  not_rooms: roomIds.optional(),
  contains_url: z.boolean().optional(),
  lazy_load_members: z.boolean().optional(),
  include_redundant_members: z.boolean().optional(),
  unread_thread_notifications: z.boolean().optional(),
});

/** Spec: client-server API, "Filtering", Filter (v1.19). `event_fields` may be honoured or not; we give all fields. */
export const SyncFilter = z.looseObject({
  event_fields: z.array(z.string().max(1024)).max(MAX_TYPES).optional(),
  event_format: z.enum(['client', 'federation']).optional(),
  presence: EventFilter.optional(),
  account_data: EventFilter.optional(),
  room: z
    .looseObject({
      rooms: roomIds.optional(),
      not_rooms: roomIds.optional(),
      include_leave: z.boolean().optional(),
      ephemeral: RoomEventFilter.optional(),
      state: RoomEventFilter.optional(),
      timeline: RoomEventFilter.optional(),
      account_data: RoomEventFilter.optional(),
    })
    .optional(),
});

export type EventFilter = z.infer<typeof EventFilter>;
export type RoomEventFilter = z.infer<typeof RoomEventFilter>;
export type SyncFilter = z.infer<typeof SyncFilter>;

/** Reads a filter that came as JSON text. Errors: M_INVALID_PARAM saying which member is wrong. */
export function parseFilterText<S extends z.ZodType>(schema: S, text: string): z.output<S> {
  if (text.length > MAX_FILTER_BYTES)
    throw new MatrixError('M_INVALID_PARAM', `filter: longer than ${MAX_FILTER_BYTES} bytes.`);
  const result = schema.safeParse(parseJson(text));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new MatrixError(
    'M_INVALID_PARAM',
    `filter: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not allowed'}`,
  );
}

function parseJson(text: string): unknown {
  try {
    return parsePlainJson(text);
  } catch (cause) {
    throw new MatrixError('M_INVALID_PARAM', 'filter: is not JSON.', { cause });
  }
}

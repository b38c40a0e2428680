import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { parseFilterText, RoomEventFilter } from '../../sync/filter-schema.ts';
import { readMessages } from '../../sync/messages.ts';
import { parsePoint } from '../../sync/position.ts';
import type { TimelinePoint } from '../../sync/position.ts';
import { openRoom } from '../../sync/room-access.ts';
import { openSession } from '../../sync/session.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import type { Requester } from '../endpoint.ts';
import { numberField, RoomParams } from './request-fields.ts';

const MAX_EVENTS = 1000;

const MessagesQuery = z.object({
  from: z.string().max(512).optional(),
  to: z.string().max(512).optional(),
  // Required; asked for once the room is known to be open to the caller.
  dir: z.enum(['b', 'f']).optional(),
  limit: numberField(0, MAX_EVENTS).default(10),
  filter: z.string().optional(),
});

/** A page of a room's history. Errors: M_FORBIDDEN, M_INVALID_PARAM. Spec: client-server API, `/messages` (v1.19). */
export const getRoomEvents = endpoint({
  operationId: 'getRoomEvents',
  method: 'GET',
  path: '/_matrix/client/v3/rooms/:roomId/messages',
  aliases: ['/_matrix/client/r0/rooms/:roomId/messages'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RoomParams,
  query: MessagesQuery,
  handle: async (app: App, { requester, params, query }) => {
    // Clients that read from the newest end send an empty token.
    const token = query.from === '' ? undefined : query.from;
    const from = point('from', token);
    if (query.dir === undefined) return refuseWithoutDirection(app, requester, params.roomId);
    const text = await readMessages(app, requester, {
      roomId: params.roomId,
      from: from === undefined || token === undefined ? undefined : { point: from, token },
      to: point('to', query.to),
      backwards: query.dir === 'b',
      limit: query.limit,
      filter: query.filter === undefined ? {} : parseFilterText(RoomEventFilter, query.filter),
    });
    return new RawJson(text);
  },
});

/** Whoever may not see the room is told that, not how to ask better. */
async function refuseWithoutDirection(app: App, requester: Requester, roomId: string): Promise<never> {
  await openRoom(await openSession(app, requester), roomId);
  throw new MatrixError('M_MISSING_PARAM', 'dir (in the query): is required: "b" or "f"');
}

function point(name: string, token: string | undefined): TimelinePoint | undefined {
  if (token === undefined) return undefined;
  const found = parsePoint(token);
  if (found === undefined) throw new MatrixError('M_INVALID_PARAM', `${name}: must be a token of /sync or /messages.`);
  return found;
}

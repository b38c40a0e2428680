import * as z from 'zod';
import { parseFilterText, RoomEventFilter } from '../../sync/filter-schema.ts';
import { readEventContext } from '../../sync/one-event.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { idField, numberField } from './request-fields.ts';

const MAX_EVENTS = 100;

/** An event and what is around it. Errors: M_FORBIDDEN, M_NOT_FOUND. Spec: client-server API, "Event Context" (v1.19). */
export const getEventContext = endpoint({
  operationId: 'getEventContext',
  method: 'GET',
  path: '/_matrix/client/v3/rooms/:roomId/context/:eventId',
  aliases: ['/_matrix/client/r0/rooms/:roomId/context/:eventId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: idField, eventId: idField }),
  query: z.object({ limit: numberField(0, MAX_EVENTS).default(10), filter: z.string().optional() }),
  handle: async (app: App, { requester, large, params, query }) => {
    const filter = query.filter === undefined ? {} : parseFilterText(RoomEventFilter, query.filter);
    const asked = { ...params, limit: query.limit, filter };
    return new RawJson(await readEventContext(app, { ...requester, large }, asked));
  },
});

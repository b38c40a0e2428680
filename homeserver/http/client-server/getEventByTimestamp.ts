import * as z from 'zod';
import { findEventByTime } from '../../sync/event-by-time.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { numberField, RoomParams } from './request-fields.ts';

/** The event nearest to a time. Errors: M_FORBIDDEN, M_NOT_FOUND. Spec: client-server API, "getEventByTimestamp" (v1.19). */
export const getEventByTimestamp = endpoint({
  operationId: 'getEventByTimestamp',
  method: 'GET',
  path: '/_matrix/client/v1/rooms/:roomId/timestamp_to_event',
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RoomParams,
  query: z.object({ ts: numberField(0, Number.MAX_SAFE_INTEGER), dir: z.enum(['b', 'f']) }),
  handle: (app: App, { requester, params, query }) =>
    findEventByTime(app, requester, { roomId: params.roomId, ts: query.ts, backwards: query.dir === 'b' }),
});

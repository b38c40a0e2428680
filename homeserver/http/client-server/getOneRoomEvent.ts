import * as z from 'zod';
import { readEvent } from '../../sync/one-event.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { idField } from './request-fields.ts';

/** One event. Errors: M_NOT_FOUND, also when the caller may not see it. Spec: client-server API, `/event` (v1.19). */
export const getOneRoomEvent = endpoint({
  operationId: 'getOneRoomEvent',
  method: 'GET',
  path: '/_matrix/client/v3/rooms/:roomId/event/:eventId',
  aliases: ['/_matrix/client/r0/rooms/:roomId/event/:eventId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: idField, eventId: idField }),
  handle: async (app: App, { requester, params }) =>
    new RawJson(await readEvent(app, requester, params.roomId, params.eventId)),
});

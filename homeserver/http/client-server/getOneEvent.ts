import * as z from 'zod';
import { readEventAnywhere } from '../../sync/one-event.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { idField } from './request-fields.ts';

/** One event, whatever its room; deprecated. Errors: M_NOT_FOUND, also when the caller may not see it. Spec: client-server API (v1.19). */
export const getOneEvent = endpoint({
  operationId: 'getOneEvent',
  method: 'GET',
  path: '/_matrix/client/v3/events/:eventId',
  aliases: ['/_matrix/client/r0/events/:eventId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ eventId: idField }),
  handle: async (app: App, { requester, params }) =>
    new RawJson(await readEventAnywhere(app, requester, params.eventId)),
});

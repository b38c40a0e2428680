import * as z from 'zod';
import { reportEvent as report } from '../../sync/reports.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { idField, MAX_REASON } from './request-fields.ts';

/** Report an event to those who run the server. Errors: M_NOT_FOUND. Spec: client-server API, "Reporting Content" (v1.19). */
export const reportEvent = endpoint({
  operationId: 'reportEvent',
  method: 'POST',
  path: '/_matrix/client/v3/rooms/:roomId/report/:eventId',
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: idField, eventId: idField }),
  body: z.looseObject({ reason: z.string().max(MAX_REASON).nullish() }),
  handle: async (app: App, { requester, params, body }) => {
    await report(app, requester, { ...params, reason: body.reason ?? '' });
    return {};
  },
});

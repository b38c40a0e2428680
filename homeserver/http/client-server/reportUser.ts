import * as z from 'zod';
import { reportUser as report } from '../../sync/reports.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { idField, MAX_REASON } from './request-fields.ts';

/** Report a user to those who run the server. Errors: M_NOT_FOUND. Spec: client-server API, "Reporting Content" (v1.19). */
export const reportUser = endpoint({
  operationId: 'reportUser',
  method: 'POST',
  path: '/_matrix/client/v3/users/:userId/report',
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: idField }),
  body: z.looseObject({ reason: z.string().max(MAX_REASON) }),
  handle: async (app: App, { requester, params, body }) => {
    await report(app, requester, { ...params, reason: body.reason });
    return {};
  },
});

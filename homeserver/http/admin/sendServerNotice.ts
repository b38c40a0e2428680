import * as z from 'zod';
import { sendNotice } from '../../accounts/server-notices.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { noticeOf } from './notice-body.ts';
import { requireAdmin } from './require-admin.ts';

/** Send a notice of the server to a user. Errors: M_FORBIDDEN, M_NOT_FOUND, M_MISSING_PARAM. Synapse admin API, "Server Notices". */
export const sendServerNotice = endpoint({
  operationId: 'sendServerNotice',
  method: 'POST',
  path: '/_synapse/admin/v1/send_server_notice',
  auth: 'user',
  rateLimit: 'requestsPerUser',
  body: z.looseObject({}),
  handle: async (app: App, { requester, body }) => {
    await requireAdmin(app, requester);
    return { event_id: await sendNotice(app, noticeOf(body)) };
  },
});

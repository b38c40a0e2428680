import * as z from 'zod';
import { sendNotice } from '../../accounts/server-notices.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { noticeOf } from './notice-body.ts';
import { requireAdmin } from './require-admin.ts';

/** As `sendServerNotice`; a repeated request with the same transaction id sends nothing more and answers the same. */
export const sendServerNoticeOnce = endpoint({
  operationId: 'sendServerNoticeOnce',
  method: 'PUT',
  path: '/_synapse/admin/v1/send_server_notice/:txnId',
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ txnId: z.string().min(1).max(255) }),
  body: z.looseObject({}),
  handle: async (app: App, { requester, params, body }) => {
    await requireAdmin(app, requester);
    const transaction = { deviceNo: requester.deviceNo, txnId: params.txnId };
    return { event_id: await sendNotice(app, { ...noticeOf(body), transaction }) };
  },
});

import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { setReceipts } from '../../sync/set-receipts.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { idField } from './request-fields.ts';

const ReceiptParams = z.object({
  roomId: idField,
  receiptType: z.enum(['m.read', 'm.read.private', 'm.fully_read']),
  eventId: idField,
});

/** Moves a receipt of the caller. Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM. Spec: client-server API, "Receipts" (v1.19). */
export const postReceipt = endpoint({
  operationId: 'postReceipt',
  method: 'POST',
  path: '/_matrix/client/v3/rooms/:roomId/receipt/:receiptType/:eventId',
  aliases: ['/_matrix/client/r0/rooms/:roomId/receipt/:receiptType/:eventId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  showsActivity: true,
  params: ReceiptParams,
  body: z.looseObject({ thread_id: z.unknown().optional() }),
  handle: async (app: App, { requester, params, body }) => {
    const threadId = threadOf(body.thread_id);
    if (threadId !== undefined && params.receiptType === 'm.fully_read') {
      throw new MatrixError('M_INVALID_PARAM', 'thread_id: is not allowed with m.fully_read.');
    }
    await setReceipts(app, requester, params.roomId, [{ type: params.receiptType, eventId: params.eventId, threadId }]);
    return {};
  },
});

function threadOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const parsed = idField.safeParse(value);
  if (!parsed.success) throw new MatrixError('M_INVALID_PARAM', 'thread_id: must be a non-empty string.');
  return parsed.data;
}

import * as z from 'zod';
import { setReceipts } from '../../sync/set-receipts.ts';
import type { ReceiptType } from '../../sync/set-receipts.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { idField, RoomParams } from './request-fields.ts';

const MarkersBody = z.looseObject({
  'm.fully_read': idField.optional(),
  'm.read': idField.optional(),
  'm.read.private': idField.optional(),
});

const TYPES = ['m.fully_read', 'm.read', 'm.read.private'] as const satisfies readonly ReceiptType[];

/** Moves the fully read marker and receipts together. Errors: M_FORBIDDEN, M_NOT_FOUND. Spec: client-server API, "Read and unread markers" (v1.19). */
export const setReadMarker = endpoint({
  operationId: 'setReadMarker',
  method: 'POST',
  path: '/_matrix/client/v3/rooms/:roomId/read_markers',
  aliases: ['/_matrix/client/r0/rooms/:roomId/read_markers'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  showsActivity: true,
  params: RoomParams,
  body: MarkersBody,
  handle: async (app: App, { requester, params, body }) => {
    const asked = TYPES.flatMap((type) => {
      const eventId = body[type];
      return eventId === undefined ? [] : [{ type, eventId, threadId: undefined }];
    });
    await setReceipts(app, requester, params.roomId, asked);
    return {};
  },
});

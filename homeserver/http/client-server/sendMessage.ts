import * as z from 'zod';
import { roomIdOf } from '../../rooms/known-room.ts';
import { sendEvent } from '../../rooms/send-event.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { JsonContent } from '../json-content.ts';

/**
 * Send an event that is not state. Errors: M_FORBIDDEN, M_TOO_LARGE, M_BAD_JSON, M_DUPLICATE_ANNOTATION.
 * Spec: client-server API, "Sending events to a room" (v1.19).
 */
export const sendMessage = endpoint({
  operationId: 'sendMessage',
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/:roomId/send/:eventType/:txnId',
  aliases: ['/_matrix/client/r0/rooms/:roomId/send/:eventType/:txnId'],
  auth: 'user',
  rateLimit: 'messagesPerUser',
  showsActivity: true,
  params: z.object({ roomId: z.string(), eventType: z.string().min(1), txnId: z.string().min(1) }),
  body: JsonContent,
  handle: async (app: App, { requester, params, body }) => {
    const { eventType: type, txnId } = params;
    const message = { roomId: roomIdOf(params.roomId), type, content: body, txnId };
    return { event_id: await sendEvent(app, requester, message) };
  },
});

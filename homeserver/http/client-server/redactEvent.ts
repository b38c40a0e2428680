import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { parseEventId } from '../../room/identifiers.ts';
import { roomIdOf } from '../../rooms/known-room.ts';
import { redactEvent as redact } from '../../rooms/redact-event.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { JsonContent } from '../json-content.ts';

/**
 * Redact an event: one's own, or another's with the power to. Errors: M_FORBIDDEN, M_NOT_FOUND.
 * Spec: client-server API, "Redactions" (v1.19).
 */
export const redactEvent = endpoint({
  operationId: 'redactEvent',
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/:roomId/redact/:eventId/:txnId',
  aliases: ['/_matrix/client/r0/rooms/:roomId/redact/:eventId/:txnId'],
  auth: 'user',
  rateLimit: 'messagesPerUser',
  showsActivity: true,
  params: z.object({ roomId: z.string(), eventId: z.string(), txnId: z.string().min(1) }),
  body: JsonContent,
  handle: async (app: App, { requester, params, body }) => {
    const target = parseEventId(params.eventId);
    if (target === undefined)
      throw new MatrixError('M_INVALID_PARAM', 'eventId (in the path): an event id is required');
    const redaction = { roomId: roomIdOf(params.roomId), target, content: body, txnId: params.txnId };
    return { event_id: await redact(app, requester, redaction) };
  },
});

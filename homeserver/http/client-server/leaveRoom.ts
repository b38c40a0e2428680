import * as z from 'zod';
import { roomIdOf } from '../../rooms/known-room.ts';
import { leaveRoom as leave } from '../../rooms/leave-room.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { Reason, withReason } from '../json-content.ts';

/** Leave a room or reject an invite. Errors: M_FORBIDDEN. Spec: client-server API, "Leaving rooms" (v1.19). */
export const leaveRoom = endpoint({
  operationId: 'leaveRoom',
  method: 'POST',
  path: '/_matrix/client/v3/rooms/:roomId/leave',
  aliases: ['/_matrix/client/r0/rooms/:roomId/leave'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: z.string() }),
  body: z.looseObject({ reason: Reason }),
  handle: async (app: App, { requester, params, body }) => {
    await leave(app, requester, { roomId: roomIdOf(params.roomId), ...withReason(body) });
    return {};
  },
});

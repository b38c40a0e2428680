import * as z from 'zod';
import { forgetRoom as forget } from '../../rooms/forget-room.ts';
import { roomIdOf } from '../../rooms/known-room.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** Forget a room that was left. Errors: M_UNKNOWN with 400 (not left). Spec: client-server API, "Leaving rooms" (v1.19). */
export const forgetRoom = endpoint({
  operationId: 'forgetRoom',
  method: 'POST',
  path: '/_matrix/client/v3/rooms/:roomId/forget',
  aliases: ['/_matrix/client/r0/rooms/:roomId/forget'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: z.string() }),
  handle: async (app: App, { requester, params }) => {
    await forget(app, requester, roomIdOf(params.roomId));
    return {};
  },
});

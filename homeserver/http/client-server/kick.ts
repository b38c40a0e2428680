import * as z from 'zod';
import { roomIdOf } from '../../rooms/known-room.ts';
import { userIdOf } from '../../rooms/local-user.ts';
import { kickUser } from '../../rooms/remove-member.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { Reason, withReason } from '../json-content.ts';

/** Remove a user from a room, or take back an invite. Errors: M_INVALID_PARAM, M_FORBIDDEN. Spec: client-server API, "Kicking users" (v1.19). */
export const kick = endpoint({
  operationId: 'kick',
  method: 'POST',
  path: '/_matrix/client/v3/rooms/:roomId/kick',
  aliases: ['/_matrix/client/r0/rooms/:roomId/kick'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: z.string() }),
  body: z.looseObject({ user_id: z.string(), reason: Reason }),
  handle: async (app: App, { requester, params, body }) => {
    const userId = userIdOf(body.user_id);
    await kickUser(app, requester, { roomId: roomIdOf(params.roomId), userId, ...withReason(body) });
    return {};
  },
});

import * as z from 'zod';
import { inviteUser as invite } from '../../rooms/invite-user.ts';
import { roomIdOf } from '../../rooms/known-room.ts';
import { userIdOf } from '../../rooms/local-user.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { Reason, withReason } from '../json-content.ts';

/** Invite a user to a room. Errors: M_INVALID_PARAM, M_FORBIDDEN. Spec: client-server API, "Joining rooms" (v1.19). */
export const inviteUser = endpoint({
  operationId: 'inviteUser',
  method: 'POST',
  path: '/_matrix/client/v3/rooms/:roomId/invite',
  aliases: ['/_matrix/client/r0/rooms/:roomId/invite'],
  auth: 'user',
  rateLimit: 'invitesPerUser',
  params: z.object({ roomId: z.string() }),
  body: z.looseObject({ user_id: z.string('this server invites by user id only'), reason: Reason }),
  handle: async (app: App, { requester, params, body }) => {
    const userId = userIdOf(body.user_id);
    await invite(app, requester, { roomId: roomIdOf(params.roomId), userId, ...withReason(body) });
    return {};
  },
});

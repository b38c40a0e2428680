import * as z from 'zod';
import { joinRoom as join } from '../../rooms/join-room.ts';
import { resolveRoom } from '../../rooms/resolve-room.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { withReason } from '../json-content.ts';
import { extraContent, JoinBody } from './join-body.ts';
import { refuseThirdPartySigned } from './third-party-signed.ts';

/**
 * Join a room by its id or alias. `via` has no use while the room is known here. Errors: M_INVALID_PARAM, M_NOT_FOUND, M_FORBIDDEN.
 * Spec: client-server API, "Joining rooms" (v1.19).
 */
export const joinRoom = endpoint({
  operationId: 'joinRoom',
  method: 'POST',
  path: '/_matrix/client/v3/join/:roomIdOrAlias',
  aliases: ['/_matrix/client/r0/join/:roomIdOrAlias'],
  auth: 'user',
  rateLimit: 'joinsPerUser',
  showsActivity: true,
  params: z.object({ roomIdOrAlias: z.string() }),
  body: JoinBody,
  handle: async (app: App, { requester, params, body }) => {
    refuseThirdPartySigned(body);
    const roomId = await resolveRoom(app, params.roomIdOrAlias);
    await join(app, requester, { roomId, extra: extraContent(body), ...withReason(body) });
    return { room_id: roomId };
  },
});

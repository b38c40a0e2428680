import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { parseRoomId } from '../../room/identifiers.ts';
import { joinRoom } from '../../rooms/join-room.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { withReason } from '../json-content.ts';
import { extraContent, JoinBody } from './join-body.ts';
import { refuseThirdPartySigned } from './third-party-signed.ts';

/** Join a room by its id. Errors: M_NOT_FOUND, M_FORBIDDEN. Spec: client-server API, "Joining rooms" (v1.19). */
export const joinRoomById = endpoint({
  operationId: 'joinRoomById',
  method: 'POST',
  path: '/_matrix/client/v3/rooms/:roomId/join',
  aliases: ['/_matrix/client/r0/rooms/:roomId/join'],
  auth: 'user',
  rateLimit: 'joinsPerUser',
  showsActivity: true,
  params: z.object({ roomId: z.string() }),
  body: JoinBody,
  handle: async (app: App, { requester, params, body }) => {
    refuseThirdPartySigned(body);
    const roomId = parseRoomId(params.roomId);
    if (roomId === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such room.');
    await joinRoom(app, requester, { roomId, extra: extraContent(body), ...withReason(body) });
    return { room_id: roomId };
  },
});

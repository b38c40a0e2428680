import * as z from 'zod';
import { roomIdOf } from '../../rooms/known-room.ts';
import { setRoomAlias as setAlias } from '../../rooms/room-aliases.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/**
 * Make an alias of this server lead to a room. Errors: M_INVALID_PARAM, M_FORBIDDEN (not in the room), M_UNKNOWN with 409 (taken).
 * Spec: client-server API, "Room aliases" (v1.19).
 */
export const setRoomAlias = endpoint({
  operationId: 'setRoomAlias',
  method: 'PUT',
  path: '/_matrix/client/v3/directory/room/:roomAlias',
  aliases: ['/_matrix/client/r0/directory/room/:roomAlias'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomAlias: z.string() }),
  body: z.looseObject({ room_id: z.string() }),
  handle: async (app: App, { requester, params, body }) => {
    await setAlias(app, requester, { alias: params.roomAlias, roomId: roomIdOf(body.room_id) });
    return {};
  },
});

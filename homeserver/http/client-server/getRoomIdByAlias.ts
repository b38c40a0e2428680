import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { parseRoomAlias } from '../../room/identifiers.ts';
import { resolveRoom } from '../../rooms/resolve-room.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** The room that an alias of this server leads to. Errors: M_INVALID_PARAM, M_NOT_FOUND. Spec: client-server API, "Room aliases" (v1.19). */
export const getRoomIdByAlias = endpoint({
  operationId: 'getRoomIdByAlias',
  method: 'GET',
  path: '/_matrix/client/v3/directory/room/:roomAlias',
  aliases: ['/_matrix/client/r0/directory/room/:roomAlias'],
  auth: 'none',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomAlias: z.string() }),
  handle: async (app: App, { params: { roomAlias } }) => {
    if (parseRoomAlias(roomAlias) === undefined)
      throw new MatrixError('M_INVALID_PARAM', 'The room alias is not valid.');
    return { room_id: await resolveRoom(app, roomAlias), servers: [app.config.serverName] };
  },
});

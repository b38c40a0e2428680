import * as z from 'zod';
import { deleteRoomAlias as deleteAlias } from '../../rooms/room-aliases.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** Take away an alias of this server. Errors: M_INVALID_PARAM, M_NOT_FOUND, M_FORBIDDEN. Spec: client-server API, "Room aliases" (v1.19). */
export const deleteRoomAlias = endpoint({
  operationId: 'deleteRoomAlias',
  method: 'DELETE',
  path: '/_matrix/client/v3/directory/room/:roomAlias',
  aliases: ['/_matrix/client/r0/directory/room/:roomAlias'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomAlias: z.string() }),
  handle: async (app: App, { requester, params }) => {
    await deleteAlias(app, requester, params.roomAlias);
    return {};
  },
});

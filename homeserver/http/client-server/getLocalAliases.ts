import * as z from 'zod';
import { roomIdOf } from '../../rooms/known-room.ts';
import { readLocalAliases } from '../../rooms/room-aliases.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** This server's aliases of a room. Errors: M_FORBIDDEN. Spec: client-server API, "Room aliases" (v1.19). */
export const getLocalAliases = endpoint({
  operationId: 'getLocalAliases',
  method: 'GET',
  path: '/_matrix/client/v3/rooms/:roomId/aliases',
  aliases: ['/_matrix/client/r0/rooms/:roomId/aliases'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: z.string() }),
  handle: async (app: App, { requester, params }) => ({
    aliases: await readLocalAliases(app, requester, roomIdOf(params.roomId)),
  }),
});

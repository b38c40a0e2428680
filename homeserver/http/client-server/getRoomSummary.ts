import * as z from 'zod';
import { resolveRoom } from '../../rooms/resolve-room.ts';
import { readRoomSummary } from '../../sync/room-preview.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/**
 * What a room is, for those who may join it or look into it. `via` has no use while the room is known here. Errors: M_INVALID_PARAM,
 * M_NOT_FOUND. Spec: client-server API, "Room summaries" (v1.19).
 */
export const getRoomSummary = endpoint({
  operationId: 'getRoomSummary',
  method: 'GET',
  path: '/_matrix/client/v1/room_summary/:roomIdOrAlias',
  aliases: ['/_matrix/client/unstable/im.nheko.summary/summary/:roomIdOrAlias'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomIdOrAlias: z.string() }),
  handle: async (app: App, { requester, params }) =>
    readRoomSummary(app, requester, await resolveRoom(app, params.roomIdOrAlias)),
});

import { readRoomInitialSync } from '../../sync/room-initial-sync.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { RoomParams } from './request-fields.ts';

/** State and newest events of a room, for looking into it. Errors: M_FORBIDDEN. Spec: client-server API, "Room Previews" (v1.19). */
export const roomInitialSync = endpoint({
  operationId: 'roomInitialSync',
  method: 'GET',
  path: '/_matrix/client/v3/rooms/:roomId/initialSync',
  aliases: ['/_matrix/client/r0/rooms/:roomId/initialSync'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RoomParams,
  handle: async (app: App, { requester, large, params }) =>
    new RawJson(await readRoomInitialSync(app, { ...requester, large }, params.roomId)),
});

import { selectJoinedRoomIds } from '../../storage/sync-reads/select-changes.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** The rooms that the caller is joined to. Spec: client-server API, "Room membership", `/joined_rooms` (v1.19). */
export const getJoinedRooms = endpoint({
  operationId: 'getJoinedRooms',
  method: 'GET',
  path: '/_matrix/client/v3/joined_rooms',
  aliases: ['/_matrix/client/r0/joined_rooms'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  handle: async (app: App, { requester }) => ({
    joined_rooms: await selectJoinedRoomIds(app.store.db, requester.userNo),
  }),
});

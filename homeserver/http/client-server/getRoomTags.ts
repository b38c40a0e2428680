import * as z from 'zod';
import { readTags } from '../../sync/room-tags.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { checkOwnUser, checkRoomId, idField } from './request-fields.ts';

/** The caller's tags of a room. Errors: M_FORBIDDEN, M_INVALID_PARAM, M_NOT_FOUND (no such room). Spec: client-server API, "Room Tagging" (v1.19). */
export const getRoomTags = endpoint({
  operationId: 'getRoomTags',
  method: 'GET',
  path: '/_matrix/client/v3/user/:userId/rooms/:roomId/tags',
  aliases: ['/_matrix/client/r0/user/:userId/rooms/:roomId/tags'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: idField, roomId: idField }),
  handle: async (app: App, { requester, params }) => {
    checkOwnUser(requester, params.userId);
    checkRoomId(params.roomId);
    return { tags: await readTags(app, requester, params.roomId) };
  },
});

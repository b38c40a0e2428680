import { deleteTag } from '../../sync/room-tags.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { checkOwnUser, checkRoomId, TagParams } from './request-fields.ts';

/** Takes a tag away from a room, if it is there. Errors: M_FORBIDDEN, M_INVALID_PARAM, M_NOT_FOUND (no such room). Spec: client-server API, "Room Tagging" (v1.19). */
export const deleteRoomTag = endpoint({
  operationId: 'deleteRoomTag',
  method: 'DELETE',
  path: '/_matrix/client/v3/user/:userId/rooms/:roomId/tags/:tag',
  aliases: ['/_matrix/client/r0/user/:userId/rooms/:roomId/tags/:tag'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: TagParams,
  handle: async (app: App, { requester, params }) => {
    checkOwnUser(requester, params.userId);
    checkRoomId(params.roomId);
    await deleteTag(app, requester, params);
    return {};
  },
});

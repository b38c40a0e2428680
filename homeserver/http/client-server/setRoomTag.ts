import * as z from 'zod';
import { setTag } from '../../sync/room-tags.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { checkOwnUser, checkRoomId, TagParams } from './request-fields.ts';

/** Tags a room. Errors: M_FORBIDDEN, M_INVALID_PARAM, M_NOT_FOUND (no such room), M_TOO_LARGE. Spec: client-server API, "Room Tagging" (v1.19). */
export const setRoomTag = endpoint({
  operationId: 'setRoomTag',
  method: 'PUT',
  path: '/_matrix/client/v3/user/:userId/rooms/:roomId/tags/:tag',
  aliases: ['/_matrix/client/r0/user/:userId/rooms/:roomId/tags/:tag'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: TagParams,
  body: z.looseObject({ order: z.number().min(0).max(1).optional() }),
  handle: async (app: App, { requester, params, body }) => {
    checkOwnUser(requester, params.userId);
    checkRoomId(params.roomId);
    await setTag(app, requester, params, body);
    return {};
  },
});

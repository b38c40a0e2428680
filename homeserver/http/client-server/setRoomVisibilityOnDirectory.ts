import * as z from 'zod';
import { setRoomVisibility } from '../../rooms/room-visibility.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { knownRoomId } from './request-fields.ts';

/**
 * Put a room into this server's directory, or take it out. Errors: M_NOT_FOUND, M_FORBIDDEN.
 * Spec: client-server API, "Published room directory" (v1.19).
 */
export const setRoomVisibilityOnDirectory = endpoint({
  operationId: 'setRoomVisibilityOnDirectory',
  method: 'PUT',
  path: '/_matrix/client/v3/directory/list/room/:roomId',
  aliases: ['/_matrix/client/r0/directory/list/room/:roomId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: z.string() }),
  body: z.looseObject({ visibility: z.enum(['public', 'private']).default('public') }),
  handle: async (app: App, { requester, params, body }) => {
    await setRoomVisibility(app, requester, { roomId: knownRoomId(params.roomId), visibility: body.visibility });
    return {};
  },
});

import * as z from 'zod';
import { roomIdOf } from '../../rooms/known-room.ts';
import { setState } from '../../rooms/set-state.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { JsonContent } from '../json-content.ts';

/**
 * Set a state event. Without a state key in the path it is the empty one. Errors: M_FORBIDDEN, M_TOO_LARGE, M_BAD_JSON,
 * M_INVALID_PARAM, M_BAD_ALIAS. Spec: client-server API, "Sending events to a room" (v1.19).
 */
export const setRoomStateWithKey = endpoint({
  operationId: 'setRoomStateWithKey',
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/:roomId/state/:eventType/:stateKey',
  aliases: [
    '/_matrix/client/v3/rooms/:roomId/state/:eventType',
    '/_matrix/client/v3/rooms/:roomId/state/:eventType/',
    '/_matrix/client/r0/rooms/:roomId/state/:eventType/:stateKey',
    '/_matrix/client/r0/rooms/:roomId/state/:eventType',
    '/_matrix/client/r0/rooms/:roomId/state/:eventType/',
  ],
  auth: 'user',
  rateLimit: 'messagesPerUser',
  showsActivity: true,
  params: z.object({ roomId: z.string(), eventType: z.string().min(1), stateKey: z.string().default('') }),
  body: JsonContent,
  handle: async (app: App, { requester, params, body }) => {
    const { eventType: type, stateKey } = params;
    return {
      event_id: await setState(app, requester, { roomId: roomIdOf(params.roomId), type, stateKey, content: body }),
    };
  },
});

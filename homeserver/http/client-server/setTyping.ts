import * as z from 'zod';
import { joinedRoomNo } from '../../sync/room-access.ts';
import { MAX_TYPING_MS } from '../../sync/typing.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { checkOwnUser, idField } from './request-fields.ts';

const DEFAULT_TYPING_MS = 30_000;

const TypingBody = z.looseObject({
  typing: z.boolean(),
  timeout: z.int().min(0).optional().describe('ms; at most two minutes count'),
});

/** The caller begins or stops to type. Errors: M_FORBIDDEN. Spec: client-server API, "Typing Notifications" (v1.19). */
export const setTyping = endpoint({
  operationId: 'setTyping',
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/:roomId/typing/:userId',
  aliases: ['/_matrix/client/r0/rooms/:roomId/typing/:userId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  showsActivity: true,
  params: z.object({ roomId: idField, userId: idField }),
  body: TypingBody,
  handle: async (app: App, { requester, params, body }) => {
    checkOwnUser(requester, params.userId);
    const roomNo = await joinedRoomNo(app, requester, params.roomId);
    const forMs = body.typing ? Math.min(body.timeout ?? DEFAULT_TYPING_MS, MAX_TYPING_MS) : 0;
    app.sync.typing.set(roomNo, requester.userId, forMs);
    return {};
  },
});

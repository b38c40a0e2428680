import * as z from 'zod';
import { writeOwnData } from '../../sync/own-account-data.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { JsonContent } from '../json-content.ts';
import { checkOwnUser, checkRoomId, idField } from './request-fields.ts';

/** Sets one key of the account data for a room. Errors: M_FORBIDDEN, M_INVALID_PARAM, M_NOT_FOUND, M_BAD_JSON with 405. Spec: client-server API, "Client Config" (v1.19). */
export const setAccountDataPerRoom = endpoint({
  operationId: 'setAccountDataPerRoom',
  method: 'PUT',
  path: '/_matrix/client/v3/user/:userId/rooms/:roomId/account_data/:type',
  aliases: ['/_matrix/client/r0/user/:userId/rooms/:roomId/account_data/:type'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: idField, roomId: idField, type: idField }),
  body: JsonContent,
  handle: async (app: App, { requester, params, body }) => {
    checkOwnUser(requester, params.userId);
    checkRoomId(params.roomId);
    await writeOwnData(app, requester, { type: params.type, roomId: params.roomId }, body);
    return {};
  },
});

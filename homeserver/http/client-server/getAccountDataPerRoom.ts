import * as z from 'zod';
import { readOwnData } from '../../sync/own-account-data.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { checkOwnUser, checkRoomId, idField } from './request-fields.ts';

/** One key of the account data for a room. Errors: M_FORBIDDEN, M_INVALID_PARAM, M_NOT_FOUND. Spec: client-server API, "Client Config" (v1.19). */
export const getAccountDataPerRoom = endpoint({
  operationId: 'getAccountDataPerRoom',
  method: 'GET',
  path: '/_matrix/client/v3/user/:userId/rooms/:roomId/account_data/:type',
  aliases: ['/_matrix/client/r0/user/:userId/rooms/:roomId/account_data/:type'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: idField, roomId: idField, type: idField }),
  handle: async (app: App, { requester, params }) => {
    checkOwnUser(requester, params.userId);
    checkRoomId(params.roomId);
    return new RawJson(await readOwnData(app, requester, { type: params.type, roomId: params.roomId }));
  },
});

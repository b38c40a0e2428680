import * as z from 'zod';
import { readOwnData } from '../../sync/own-account-data.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { checkOwnUser, idField } from './request-fields.ts';

/** One key of the global account data. Errors: M_FORBIDDEN, M_NOT_FOUND. Spec: client-server API, "Client Config" (v1.19). */
export const getAccountData = endpoint({
  operationId: 'getAccountData',
  method: 'GET',
  path: '/_matrix/client/v3/user/:userId/account_data/:type',
  aliases: ['/_matrix/client/r0/user/:userId/account_data/:type'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: idField, type: idField }),
  handle: async (app: App, { requester, params }) => {
    checkOwnUser(requester, params.userId);
    return new RawJson(await readOwnData(app, requester, { type: params.type, roomId: undefined }));
  },
});

import * as z from 'zod';
import { writeOwnData } from '../../sync/own-account-data.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { JsonContent } from '../json-content.ts';
import { checkOwnUser, idField } from './request-fields.ts';

/** Sets one key of the global account data. Errors: M_FORBIDDEN, M_BAD_JSON with 405 (managed by the server). Spec: client-server API, "Client Config" (v1.19). */
export const setAccountData = endpoint({
  operationId: 'setAccountData',
  method: 'PUT',
  path: '/_matrix/client/v3/user/:userId/account_data/:type',
  aliases: ['/_matrix/client/r0/user/:userId/account_data/:type'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: idField, type: idField }),
  body: JsonContent,
  handle: async (app: App, { requester, params, body }) => {
    checkOwnUser(requester, params.userId);
    await writeOwnData(app, requester, { type: params.type, roomId: undefined }, body);
    return {};
  },
});

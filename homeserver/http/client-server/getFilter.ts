import * as z from 'zod';
import { loadFilter } from '../../sync/filters.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { checkOwnUser, idField } from './request-fields.ts';

/** A stored filter. Errors: M_FORBIDDEN, M_NOT_FOUND. Spec: client-server API, "Filtering" (v1.19). */
export const getFilter = endpoint({
  operationId: 'getFilter',
  method: 'GET',
  path: '/_matrix/client/v3/user/:userId/filter/:filterId',
  aliases: ['/_matrix/client/r0/user/:userId/filter/:filterId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: idField, filterId: idField }),
  handle: async (app: App, { requester, params }) => {
    checkOwnUser(requester, params.userId);
    return new RawJson(await loadFilter(app, requester.userNo, params.filterId));
  },
});

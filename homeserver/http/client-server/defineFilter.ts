import * as z from 'zod';
import { SyncFilter } from '../../sync/filter-schema.ts';
import { storeFilter } from '../../sync/filters.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { checkOwnUser, idField } from './request-fields.ts';

/** Stores a filter for later syncs. Errors: M_FORBIDDEN, M_TOO_LARGE. Spec: client-server API, "Filtering" (v1.19). */
export const defineFilter = endpoint({
  operationId: 'defineFilter',
  method: 'POST',
  path: '/_matrix/client/v3/user/:userId/filter',
  aliases: ['/_matrix/client/r0/user/:userId/filter'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: idField }),
  body: SyncFilter,
  handle: async (app: App, { requester, params, body }) => {
    checkOwnUser(requester, params.userId);
    return { filter_id: await storeFilter(app, requester.userNo, body) };
  },
});

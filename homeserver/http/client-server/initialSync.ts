import * as z from 'zod';
import { readInitialSync } from '../../sync/initial-sync.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { booleanField, numberField } from './request-fields.ts';

/** All rooms of the caller as they are now; deprecated. Spec: client-server API, `/initialSync` (v1.19). */
export const initialSync = endpoint({
  operationId: 'initialSync',
  method: 'GET',
  path: '/_matrix/client/v3/initialSync',
  aliases: ['/_matrix/client/r0/initialSync'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  query: z.object({ limit: numberField(0, 1000).default(10), archived: booleanField.default(false) }),
  handle: async (app: App, { requester, large, query }) =>
    new RawJson(await readInitialSync(app, { ...requester, large }, query)),
});

import { readRuleset } from '../../sync/push-rules.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** The caller's push rules. Spec: client-server API, "Push Rules" (v1.19). */
export const getPushRules = endpoint({
  operationId: 'getPushRules',
  method: 'GET',
  path: '/_matrix/client/v3/pushrules/',
  aliases: ['/_matrix/client/v3/pushrules', '/_matrix/client/r0/pushrules/', '/_matrix/client/r0/pushrules'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  handle: async (app: App, { requester }) => ({ global: await readRuleset(app, requester) }),
});

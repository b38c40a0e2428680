import { readRuleset } from '../../sync/push-rules.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** The caller's push rules of the only scope there is. Spec: client-server API, "Push Rules" (v1.19). */
export const getPushRulesGlobal = endpoint({
  operationId: 'getPushRulesGlobal',
  method: 'GET',
  path: '/_matrix/client/v3/pushrules/global/',
  aliases: [
    '/_matrix/client/v3/pushrules/global',
    '/_matrix/client/r0/pushrules/global/',
    '/_matrix/client/r0/pushrules/global',
  ],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  handle: (app: App, { requester }) => readRuleset(app, requester),
});

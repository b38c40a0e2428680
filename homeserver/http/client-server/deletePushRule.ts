import { deleteRule } from '../../sync/push-rules.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { RuleParams } from './push-rule-fields.ts';

/** Deletes a push rule of the caller's own. Errors: M_NOT_FOUND, also for predefined rules. Spec: client-server API, "Push Rules" (v1.19). */
export const deletePushRule = endpoint({
  operationId: 'deletePushRule',
  method: 'DELETE',
  path: '/_matrix/client/v3/pushrules/global/:kind/:ruleId',
  aliases: ['/_matrix/client/r0/pushrules/global/:kind/:ruleId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RuleParams,
  handle: async (app: App, { requester, params }) => {
    await deleteRule(app, requester, params);
    return {};
  },
});

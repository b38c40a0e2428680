import { readRule } from '../../sync/push-rules.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { RuleParams } from './push-rule-fields.ts';

/** The actions of a push rule. Errors: M_NOT_FOUND. Spec: client-server API, "Push Rules" (v1.19). */
export const getPushRuleActions = endpoint({
  operationId: 'getPushRuleActions',
  method: 'GET',
  path: '/_matrix/client/v3/pushrules/global/:kind/:ruleId/actions',
  aliases: ['/_matrix/client/r0/pushrules/global/:kind/:ruleId/actions'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RuleParams,
  handle: async (app: App, { requester, params }) => {
    const { actions } = await readRule(app, requester, params);
    return { actions };
  },
});

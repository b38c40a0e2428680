import { readRule } from '../../sync/push-rules.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { RuleParams } from './push-rule-fields.ts';

/** Whether a push rule is enabled. Errors: M_NOT_FOUND. Spec: client-server API, "Push Rules" (v1.19). */
export const isPushRuleEnabled = endpoint({
  operationId: 'isPushRuleEnabled',
  method: 'GET',
  path: '/_matrix/client/v3/pushrules/global/:kind/:ruleId/enabled',
  aliases: ['/_matrix/client/r0/pushrules/global/:kind/:ruleId/enabled'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RuleParams,
  handle: async (app: App, { requester, params }) => {
    const { enabled } = await readRule(app, requester, params);
    return { enabled };
  },
});

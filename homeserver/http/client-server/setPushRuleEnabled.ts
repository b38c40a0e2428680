import * as z from 'zod';
import { setRule } from '../../sync/push-rules.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { RuleParams } from './push-rule-fields.ts';

/** Enables or disables a push rule, also a predefined one. Errors: M_NOT_FOUND. Spec: client-server API, "Push Rules" (v1.19). */
export const setPushRuleEnabled = endpoint({
  operationId: 'setPushRuleEnabled',
  method: 'PUT',
  path: '/_matrix/client/v3/pushrules/global/:kind/:ruleId/enabled',
  aliases: ['/_matrix/client/r0/pushrules/global/:kind/:ruleId/enabled'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RuleParams,
  body: z.looseObject({ enabled: z.boolean() }),
  handle: async (app: App, { requester, params, body }) => {
    await setRule(app, requester, params, { enabled: body.enabled });
    return {};
  },
});

import * as z from 'zod';
import { setRule } from '../../sync/push-rules.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { actionsField, RuleParams } from './push-rule-fields.ts';

/** Gives new actions to a push rule, also a predefined one. Errors: M_NOT_FOUND. Spec: client-server API, "Push Rules" (v1.19). */
export const setPushRuleActions = endpoint({
  operationId: 'setPushRuleActions',
  method: 'PUT',
  path: '/_matrix/client/v3/pushrules/global/:kind/:ruleId/actions',
  aliases: ['/_matrix/client/r0/pushrules/global/:kind/:ruleId/actions'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RuleParams,
  body: z.looseObject({ actions: actionsField }),
  handle: async (app: App, { requester, params, body }) => {
    await setRule(app, requester, params, { actions: body.actions });
    return {};
  },
});

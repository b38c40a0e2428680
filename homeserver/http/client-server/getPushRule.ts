import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { readRule } from '../../sync/push-rules.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { RuleParams } from './push-rule-fields.ts';
import { idField } from './request-fields.ts';

/** One push rule of the caller. Errors: M_NOT_FOUND. Spec: client-server API, "Push Rules" (v1.19). */
export const getPushRule = endpoint({
  operationId: 'getPushRule',
  method: 'GET',
  path: '/_matrix/client/v3/pushrules/global/:kind/:ruleId',
  aliases: ['/_matrix/client/r0/pushrules/global/:kind/:ruleId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ kind: z.string(), ruleId: idField }),
  handle: (app: App, { requester, params }) => {
    // Of a kind that this server does not know there is no rule.
    const known = RuleParams.safeParse(params);
    if (!known.success) throw new MatrixError('M_NOT_FOUND', 'There is no such push rule.');
    return readRule(app, requester, known.data);
  },
});

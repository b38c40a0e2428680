import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import type { JsonObject } from '../../room/json-value.ts';
import { writeRule } from '../../sync/push-rules.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { actionsField, RuleParams } from './push-rule-fields.ts';
import { idField } from './request-fields.ts';

/** Longer patterns than this are nobody's words; each is searched for in every message. */
const MAX_PATTERN = 255;
const MAX_CONDITIONS = 20;

/** Kept as it came: what this server does not know of it, clients may. */
const Condition = z.custom<JsonObject>(
  isCondition,
  `must be an object with a text \`kind\`; its pattern may have at most ${MAX_PATTERN} characters`,
);

const RuleBody = z.looseObject({
  actions: actionsField,
  conditions: z.array(Condition).max(MAX_CONDITIONS).optional(),
  pattern: z.string().max(MAX_PATTERN).optional(),
});

function isCondition(value: unknown): boolean {
  const shape = z.looseObject({ kind: z.string().max(255), pattern: z.string().max(MAX_PATTERN).optional() });
  return shape.safeParse(value).success;
}

const PlaceQuery = z.object({ before: idField.optional(), after: idField.optional() });

/**
 * Makes a push rule of the caller's own, or changes it. Errors: M_INVALID_PARAM (the rule id), M_MISSING_PARAM, M_UNKNOWN with 400
 * (no such neighbour), M_TOO_LARGE. Spec: client-server API, "Push Rules" (v1.19).
 */
export const setPushRule = endpoint({
  operationId: 'setPushRule',
  method: 'PUT',
  path: '/_matrix/client/v3/pushrules/global/:kind/:ruleId',
  aliases: ['/_matrix/client/r0/pushrules/global/:kind/:ruleId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RuleParams,
  query: PlaceQuery,
  body: RuleBody,
  handle: async (app: App, { requester, params, query, body }) => {
    const { kind, ruleId } = params;
    if (ruleId.startsWith('.') || /[/\\]/.test(ruleId))
      throw new MatrixError('M_INVALID_PARAM', 'ruleId: may not begin with a dot, nor hold slashes or backslashes.');
    if (kind === 'content' && body.pattern === undefined)
      throw new MatrixError('M_MISSING_PARAM', 'pattern: is required for rules of the kind content.');
    const { actions, conditions, pattern } = body;
    await writeRule(app, requester, { kind, ruleId, actions, conditions, pattern }, query);
    return {};
  },
});

import * as z from 'zod';
import type { JsonValue } from '../../room/json-value.ts';
import { PUSH_RULE_KINDS } from '../../room/push-rules.ts';
import { idField } from './request-fields.ts';

/** Names a push rule in a path. */
export const RuleParams = z.object({ kind: z.enum(PUSH_RULE_KINDS), ruleId: idField });

const Action = z.custom<JsonValue>(
  isAction,
  'must be "notify" or an object with a text `set_tweak` ("dont_notify" and "coalesce" are taken and ignored)',
);

/** Actions of a rule; at most so many that a rule stays small. */
export const actionsField = z.array(Action).max(20);

function isAction(value: unknown): boolean {
  if (typeof value === 'string') return ['notify', 'dont_notify', 'coalesce'].includes(value);
  return z.looseObject({ set_tweak: z.string() }).safeParse(value).success;
}

import * as z from 'zod';
import { NO_CHANGES, type PushRuleChanges } from '../room/push-rule-changes.ts';
import { PUSH_RULE_KINDS } from '../room/push-rules.ts';
import { parsePlainJson } from '../room/strict-json.ts';

const Own = z.object({
  rule_id: z.string(),
  enabled: z.boolean(),
  actions: z.array(z.json()),
  conditions: z.array(z.record(z.string(), z.json())).optional(),
  pattern: z.string().optional(),
});

const Stored = z.object({
  own: z.record(z.enum(PUSH_RULE_KINDS), z.array(Own)),
  predefined: z.record(
    z.string(),
    z.object({ enabled: z.boolean().optional(), actions: z.array(z.json()).optional() }),
  ),
});

/** The column `push_rules.rules`; undefined for a user without a row. */
export function parsePushRuleChanges(text: string | undefined): PushRuleChanges {
  return text === undefined ? NO_CHANGES : Stored.parse(parsePlainJson(text));
}

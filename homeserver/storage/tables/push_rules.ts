/**
 * push_rules: a row is what a user has changed of the push rules. Written by the batch function; read by sync, the push rules API and
 * all that counts notifications. Grows by one row for each user who changes a rule; deleted with the user's data.
 */
import type { Queryable } from '../database.ts';

export interface PushRulesRow {
  /** Position of the last change. */
  position: number;
  /** The changes as JSON text. */
  rules: string;
}

const SELECT = 'select position, rules from push_rules where user_no = $1';

/** Undefined for a user who has never changed a rule. */
export async function selectPushRules(db: Queryable, userNo: number): Promise<PushRulesRow | undefined> {
  const rows = await db.query<PushRulesRow & Record<string, unknown>>({
    name: 'push_rules_select',
    text: SELECT,
    values: [userNo],
  });
  return rows[0];
}

import type { Queryable } from '../database.ts';

/** Own data as it stands: JSON text, and the position of its last change. */
export interface OwnDataRow {
  text: string;
  position: number;
}

const ACCOUNT_DATA = `
select content as text, position from account_data where user_no = $1 and room_no = $2 and type = $3`;
const PUSH_RULES = 'select rules as text, position from push_rules where user_no = $1';

/** A key of a user's account data (room number 0: global), or what the user has changed of the push rules. */
export async function selectOwnData(
  db: Queryable,
  key: { kind: 'account_data'; userNo: number; roomNo: number; type: string } | { kind: 'push_rules'; userNo: number },
): Promise<OwnDataRow | undefined> {
  const statement =
    key.kind === 'push_rules'
      ? { name: 'push_rules_select_own', text: PUSH_RULES, values: [key.userNo] }
      : { name: 'account_data_select_own', text: ACCOUNT_DATA, values: [key.userNo, key.roomNo, key.type] };
  return (await db.query<OwnDataRow & Record<string, unknown>>(statement))[0];
}

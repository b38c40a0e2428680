/**
 * state_keys: a row is a pair of event type and state key seen. Written by Names when a pair is first met; read by Names, which
 * caches it. Grows by a row for each pair; immutable.
 */
import type { Queryable } from '../database.ts';

const SELECT = 'select state_key_no from state_keys where type_no = $1 and state_key = $2';
const INSERT =
  'insert into state_keys (type_no, state_key) values ($1, $2) on conflict (type_no, state_key) do nothing';

/** The number of a pair; undefined when we have not met it. */
export async function selectStateKey(db: Queryable, typeNo: number, stateKey: string): Promise<number | undefined> {
  const rows = await db.query<{ state_key_no: number }>({
    name: 'state_keys_select',
    text: SELECT,
    values: [typeNo, stateKey],
  });
  return rows[0]?.state_key_no;
}

export async function insertStateKey(db: Queryable, typeNo: number, stateKey: string): Promise<void> {
  await db.query({ name: 'state_keys_insert', text: INSERT, values: [typeNo, stateKey] });
}

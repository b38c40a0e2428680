/**
 * state_keys: a row is a pair of event type and state key seen. Written by Names when a pair is first met; read by Names, which
 * caches it. Grows by a row for each pair; immutable.
 */
import type { Queryable } from '../database.ts';
import type { StateName } from '../write-batch.ts';

export interface StateKeyRow {
  type: string;
  state_key: string;
  state_key_no: number;
}

const SELECT = `
select t.type, k.state_key, k.state_key_no
from unnest($1::text[], $2::text[]) w (type, state_key)
join event_types t on t.type = w.type join state_keys k on k.type_no = t.type_no and k.state_key = w.state_key`;

/** The pairs of these that we have met, in no order. */
export function selectStateKeys(db: Queryable, names: readonly StateName[]): Promise<StateKeyRow[]> {
  return db.query<StateKeyRow>({ name: 'state_keys_select', text: SELECT, values: columnsOf(names) });
}

// In one order, so that two replicas that insert the same pairs never wait for each other.
const INSERT = `
insert into state_keys (type_no, state_key)
select t.type_no, w.state_key from unnest($1::text[], $2::text[]) w (type, state_key) join event_types t on t.type = w.type
order by t.type_no, w.state_key
on conflict (type_no, state_key) do nothing`;

/** Inserts the pairs that are missing; their types must be there. */
export async function insertStateKeys(db: Queryable, names: readonly StateName[]): Promise<void> {
  await db.query({ name: 'state_keys_insert', text: INSERT, values: columnsOf(names) });
}

function columnsOf(names: readonly StateName[]): [types: string[], stateKeys: string[]] {
  return [names.map(([type]) => type), names.map(([, stateKey]) => stateKey)];
}

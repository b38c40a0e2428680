import type { Queryable } from '../database.ts';

const HAS_OPERATOR = `select to_regnamespace('matrix_operator') is not null as found`;
const CREATE = `
create table if not exists matrix_operator.restored_keys (
  singleton bool primary key default true check (singleton),
  bundle text not null
)`;
const UPSERT = `
insert into matrix_operator.restored_keys (bundle) values ($1) on conflict (singleton) do update set bundle = excluded.bundle`;

/**
 * Leaves the sealed signing keys of a backup for the operator, which alone turns them into Secrets. False: no operator looks
 * after this database.
 */
export async function upsertRestoredKeys(db: Queryable, bundle: string): Promise<boolean> {
  const [operator] = await db.query<{ found: boolean }>({ name: 'restored_keys_operator', text: HAS_OPERATOR });
  if (operator?.found !== true) return false;
  await db.query({ name: 'restored_keys_create', text: CREATE });
  await db.query({ name: 'restored_keys_upsert', text: UPSERT, values: [bundle] });
  return true;
}

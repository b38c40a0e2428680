/**
 * leases: a row is a named piece of background work and who may do it now. Written and read by the workers of every replica;
 * a handful of rows, never deleted but by after-restore. Times are the database's: clocks of replicas may differ.
 */
import type { Queryable } from '../database.ts';

const UPSERT = `
insert into leases (name, holder, fence, until)
values ($1, $2, 1, (extract(epoch from clock_timestamp()) * 1000)::int8 + $3)
on conflict (name) do update set
  fence = leases.fence + case when leases.holder = excluded.holder then 0 else 1 end,
  holder = excluded.holder, until = excluded.until
where leases.holder = excluded.holder or leases.until < (extract(epoch from clock_timestamp()) * 1000)::int8
returning fence`;

/** Takes or prolongs a lease for `forMs`. Returns its fence, which grows with every change of holder; undefined: it is held. */
export async function upsertLease(
  db: Queryable,
  lease: { name: string; holder: number; forMs: number },
): Promise<number | undefined> {
  const values = [lease.name, lease.holder, lease.forMs];
  const rows = await db.query<{ fence: number }>({ name: 'leases_upsert', text: UPSERT, values });
  return rows[0]?.fence;
}

const SELECT_FENCE = 'select fence from leases where name = $1 and holder = $2 and fence = $3 for share';

/** Whether the lease still stands, for the transaction of a write that depends on it: nobody takes it over until the end. */
export async function selectLeaseForShare(
  db: Queryable,
  lease: { name: string; holder: number; fence: number },
): Promise<boolean> {
  const values = [lease.name, lease.holder, lease.fence];
  const rows = await db.query({ name: 'leases_select_for_share', text: SELECT_FENCE, values });
  return rows.length > 0;
}

const RELEASE = 'update leases set until = 0 where name = $1 and holder = $2';

/** Gives a lease back. */
export async function updateLeaseReleased(db: Queryable, lease: { name: string; holder: number }): Promise<void> {
  await db.query({ name: 'leases_update_released', text: RELEASE, values: [lease.name, lease.holder] });
}

const DELETE_ALL = 'delete from leases';

/** Drops all leases; their holders belong to another life of the database. */
export async function deleteAllLeases(db: Queryable): Promise<void> {
  await db.query({ name: 'leases_delete_all', text: DELETE_ALL });
}

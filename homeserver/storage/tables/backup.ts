/**
 * ops.backup: a row is a backup that was found complete in its store. Written by the backup command once that is so; read by it
 * and by the operator, which has no way to the store. Rows go together with their backups.
 */
import type { Queryable } from '../database.ts';

export interface BackupRow {
  readonly backup_id: string;
  readonly place: string;
  readonly upgrade_plan: string | null;
  readonly software_version: string;
  readonly schema_version: number;
  readonly compat_version: number;
  readonly taken_at: number;
}

const INSERT = `
insert into ops.backup
  (backup_id, place, upgrade_plan, software_version, schema_version, compat_version, taken_at, stored_at)
values ($1, $2, $3, $4, $5, $6, $7, (extract(epoch from clock_timestamp()) * 1000)::int8)
on conflict (backup_id) do nothing`;

/** Notes that all of a backup is in its store. */
export async function insertBackup(db: Queryable, row: BackupRow): Promise<void> {
  const { backup_id, place, upgrade_plan, software_version, schema_version, compat_version, taken_at } = row;
  const values = [backup_id, place, upgrade_plan, software_version, schema_version, compat_version, taken_at];
  await db.query({ name: 'backup_insert', text: INSERT, values });
}

const LAST_BEFORE_UPGRADE = `
select backup_id from ops.backup where place = $1 and upgrade_plan is not null order by stored_at desc limit 1`;

/** The newest backup in a store that was made before an upgrade. */
export async function selectLastBeforeUpgrade(db: Queryable, place: string): Promise<string | undefined> {
  const text = LAST_BEFORE_UPGRADE;
  const [row] = await db.query<{ backup_id: string }>({ name: 'backup_select_last_before', text, values: [place] });
  return row?.backup_id;
}

const DELETE_ABSENT = 'delete from ops.backup where place = $1 and not backup_id = any($2::text[])';

/** Forgets the backups of a store that are no longer in it; `present` are those that are. */
export async function deleteAbsentBackups(db: Queryable, place: string, present: readonly string[]): Promise<void> {
  await db.query({ name: 'backup_delete_absent', text: DELETE_ABSENT, values: [place, present] });
}

const NOW = 'select (extract(epoch from now()) * 1000)::int8 as now';

/** Unix ms by the clock of the database at which the transaction began: the moment that a snapshot holds. */
export async function selectSnapshotTime(db: Queryable): Promise<number> {
  const [row] = await db.query<{ now: number }>({ name: 'backup_select_snapshot_time', text: NOW });
  return row?.now ?? 0;
}

import type { Queryable } from '../database.ts';
import { UnfitDatabase } from '../schema-check.ts';
import { EXIT_CODES } from '../../contract/exit-codes.ts';

/** What a database says of the restore that filled it. */
export interface RestoreMarker {
  readonly backupId: string;
  readonly state: 'running' | 'done';
}

const EXISTS = `select to_regclass('restore.state') is not null as found`;
const SELECT = 'select backup_id as "backupId", state from restore.state';

/** The marker; undefined in a database that was never restored into. */
export async function selectRestoreMarker(db: Queryable): Promise<RestoreMarker | undefined> {
  const [exists] = await db.query<{ found: boolean }>({ name: 'restore_state_exists', text: EXISTS });
  if (exists?.found !== true) return undefined;
  const [row] = await db.query<RestoreMarker>({ name: 'restore_state_select', text: SELECT });
  return row;
}

/** Refuses a database that a restore has not finished: what it holds is a part of a server. */
export async function checkNotHalfRestored(db: Queryable): Promise<void> {
  const marker = await selectRestoreMarker(db);
  if (marker?.state !== 'running') return;
  const what = `the restore of backup ${marker.backupId} into this database has not finished`;
  throw new UnfitDatabase(EXIT_CODES.wrongDatabase, `${what}: run \`homeserver restore\` again`);
}

const CREATE = `
do $$ begin
  create schema restore;
  comment on schema restore is 'Which backup this database was restored from. Written by homeserver restore.';
  create table restore.state (
    singleton bool primary key default true check (singleton),
    backup_id text collate "C" not null,
    run text collate "C" not null,
    state text collate "C" not null check (state in ('running', 'done')),
    at int8 not null
  );
  comment on table restore.state is 'One row: the backup, and whether all of it is here. Nothing serves while it is running.';
end $$`;
const INSERT = `insert into restore.state (backup_id, run, state, at)
values ($1, $2, 'running', (extract(epoch from clock_timestamp()) * 1000)::int8)`;

/** Marks an empty database as being restored into; from now on everything in it may be thrown away. In a transaction. */
export async function insertRestoreMarker(db: Queryable, marker: { backupId: string; run: string }): Promise<void> {
  await db.query({ name: 'restore_state_create', text: CREATE });
  await db.query({ name: 'restore_state_insert', text: INSERT, values: [marker.backupId, marker.run] });
}

const FOR_SHARE = `select 1 as found from restore.state where run = $1 and state = 'running' for share`;

/** For the transaction of each write: throws when another run has taken the database over; until the end none can. */
export async function selectRunForShare(db: Queryable, run: string): Promise<void> {
  const rows = await db.query({ name: 'restore_state_select_for_share', text: FOR_SHARE, values: [run] });
  if (rows.length === 0) throw new Error('another restore has taken this database over');
}

const DONE = `
update restore.state set state = 'done', at = (extract(epoch from clock_timestamp()) * 1000)::int8 where run = $1 returning run`;

/** Notes that all of the backup is here. In the transaction that makes the database usable. */
export async function updateRestoreDone(db: Queryable, run: string): Promise<void> {
  const rows = await db.query({ name: 'restore_state_update_done', text: DONE, values: [run] });
  if (rows.length === 0) throw new Error('another restore has taken this database over');
}

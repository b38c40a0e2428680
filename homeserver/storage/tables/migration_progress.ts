/**
 * ops.migration_progress: a row is a file or backfill that is being applied or was. Written by migrate; read by the operator,
 * which shows a percentage. Grows by a row for each file; never deleted.
 */
import type { Queryable } from '../database.ts';

const SELECT_EXISTS = `select to_regclass('ops.migration_progress') is not null as found`;

const UPSERT = `
insert into ops.migration_progress (name, phase, done, total, state)
values ($1, $2, 0, 1, $3)
on conflict (name) do update set state = excluded.state`;

/** Whether there is such a table already: the first file makes it. */
export async function selectMigrationProgressExists(db: Queryable): Promise<boolean> {
  const rows = await db.query<{ found: boolean }>({ name: 'migration_progress_select_exists', text: SELECT_EXISTS });
  return rows[0]?.found === true;
}

/** Notes the state of a file. */
export async function upsertMigrationProgress(
  db: Queryable,
  progress: { name: string; phase: string; state: 'running' | 'failed' },
): Promise<void> {
  const values = [progress.name, progress.phase, progress.state];
  await db.query({ name: 'migration_progress_upsert', text: UPSERT, values });
}

const UPDATE_TOTAL = `
update ops.migration_progress set total = greatest(1, (
  select c.reltuples::int8 from pg_class c where c.oid = to_regclass($2)
)) where name = $1 and cursor = 0`;

/** Notes at the start of a backfill how many rows the table has, by the planner's estimate. */
export async function updateMigrationTotal(db: Queryable, name: string, table: string): Promise<void> {
  await db.query({ name: 'migration_progress_update_total', text: UPDATE_TOTAL, values: [name, table] });
}

const SELECT_CURSOR = 'select cursor from ops.migration_progress where name = $1 for update';

/** Last key that a backfill has handled; the row stays locked until the transaction ends. */
export async function selectMigrationCursor(db: Queryable, name: string): Promise<number> {
  const rows = await db.query<{ cursor: number }>({
    name: 'migration_progress_select_cursor',
    text: SELECT_CURSOR,
    values: [name],
  });
  return rows[0]?.cursor ?? 0;
}

const UPDATE_CURSOR = `
update ops.migration_progress set cursor = $2, done = done + $3, total = greatest(total, done + $3) where name = $1`;

/** Notes a batch, in its transaction. */
export async function updateMigrationCursor(
  db: Queryable,
  batch: { name: string; cursor: number; count: number },
): Promise<void> {
  const values = [batch.name, batch.cursor, batch.count];
  await db.query({ name: 'migration_progress_update_cursor', text: UPDATE_CURSOR, values });
}

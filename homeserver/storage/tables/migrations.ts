/**
 * ops.migrations: a row is a migration file that has been applied. Written by migrate in the transaction of the file; read by
 * migrate. Grows by a row for each file; never deleted.
 */
import type { Queryable } from '../database.ts';

export interface MigrationRow {
  name: string;
  checksum: string;
}

const SELECT_EXISTS = `select to_regclass('ops.migrations') is not null as found`;
const SELECT = 'select name, checksum from ops.migrations order by name';

/** Files that have been applied, by name; none in an empty database. */
export async function selectMigrations(db: Queryable): Promise<MigrationRow[]> {
  const exists = await db.query<{ found: boolean }>({ name: 'migrations_select_exists', text: SELECT_EXISTS });
  if (exists[0]?.found !== true) return [];
  return db.query<MigrationRow>({ name: 'migrations_select', text: SELECT });
}

const INSERT = `
with applied as (
  insert into ops.migrations (name, phase, checksum, at)
  values ($1, $2, $3, (extract(epoch from clock_timestamp()) * 1000)::int8)
  on conflict (name) do nothing
)
insert into ops.migration_progress as p (name, phase, done, total, state) values ($1, $2, 1, 1, 'done')
on conflict (name) do update set state = 'done', done = greatest(p.done, 1), total = greatest(p.done, 1)`;

/** Notes that a file has been applied, here and in ops.migration_progress. */
export async function insertMigration(
  db: Queryable,
  migration: { name: string; phase: string; checksum: string },
): Promise<void> {
  await db.query({
    name: 'migrations_insert',
    text: INSERT,
    values: [migration.name, migration.phase, migration.checksum],
  });
}

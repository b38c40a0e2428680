import type { Queryable } from '../database.ts';

const FOREIGN = `
select format('%I.%I', n.nspname, c.relname) as name
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and n.nspname !~ '^pg_'
  and n.nspname not in ('information_schema', 'matrix_operator', 'restore')
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by 1 limit 1`;

/** The name of something that stands in the database; undefined when it is empty but for what the operator keeps in it. */
export async function selectForeignObject(db: Queryable): Promise<string | undefined> {
  const [row] = await db.query<{ name: string }>({ name: 'pg_class_select_foreign', text: FOREIGN });
  return row?.name;
}

/** Only in a database whose marker says that it was empty before. Object by object: schema public need not be ours. */
const CLEAR = `
do $$ declare statement text; begin
  for statement in
    select format('drop table if exists %I.%I cascade', n.nspname, c.relname)
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'r'
    union all
    select format('drop sequence if exists %I.%I cascade', n.nspname, c.relname)
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'S'
    union all
    select format('drop function if exists %s cascade', p.oid::regprocedure)
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'public' and p.prokind = 'f'
        and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  loop
    execute statement;
  end loop;
  drop schema if exists ops cascade;
  drop schema if exists restore cascade;
end $$`;

/** Throws away what an unfinished restore left, marker included. In a transaction. */
export async function deleteHalfRestored(db: Queryable): Promise<void> {
  await db.query({ name: 'restore_clear', text: CLEAR });
}

const EXISTS = `
select a.attname::text as name from pg_attribute a
where a.attrelid = to_regclass(format('%I.%I', $1::text, $2::text)) and a.attnum > 0 and not a.attisdropped`;

/** Columns of a table; empty when there is no such table. */
export async function selectColumnNames(db: Queryable, schema: string, name: string): Promise<string[]> {
  const rows = await db.query<{ name: string }>({
    name: 'pg_attribute_select_names',
    text: EXISTS,
    values: [schema, name],
  });
  return rows.map((row) => row.name);
}

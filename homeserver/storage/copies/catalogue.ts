import type { Queryable } from '../database.ts';

/** A table whose rows are copied out and in. */
export interface CopiedTable {
  readonly schema: string;
  readonly name: string;
  /** Columns that hold data, in order; generated ones are made again. */
  readonly columns: readonly string[];
}

/** A sequence, also one of an identity column. `lastValue` is int8 as text. */
export interface CopiedSequence {
  readonly schema: string;
  readonly name: string;
  readonly lastValue: string;
  readonly isCalled: boolean;
}

/**
 * Every table of ours but those that speak of the database itself: the migrations make schema state and their own record,
 * processes that serve are not data, and the operator's `owner` says whose this database is, not whose data it holds. The search
 * index is made again from the events, of which each of its rows needs one.
 */
const TABLES = `
select n.nspname as schema, c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
where n.nspname in ('public', 'ops', 'matrix_operator') and c.relkind = 'r' and c.relpersistence = 'p'
  and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  and (n.nspname, c.relname) not in (('ops', 'schema_state'), ('ops', 'migrations'), ('ops', 'migration_progress'),
    ('ops', 'replica'), ('matrix_operator', 'owner'), ('matrix_operator', 'restored_keys'),
    ('public', 'event_search'), ('public', 'search_progress'))
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
group by n.nspname, c.relname, c.relpages order by c.relpages desc, n.nspname, c.relname`;

/** All tables with data, the largest first. */
export function selectCopiedTables(db: Queryable): Promise<CopiedTable[]> {
  return db.query<CopiedTable>({ name: 'pg_class_select_copied', text: TABLES });
}

const SEQUENCES = `
select schemaname as schema, sequencename as name, coalesce(last_value, start_value)::text as "lastValue",
  last_value is not null as "isCalled"
from pg_sequences where schemaname in ('public', 'ops') order by schemaname, sequencename`;

/** All sequences. They stand outside of transactions: read after a snapshot was taken, no value lies behind its rows. */
export function selectCopiedSequences(db: Queryable): Promise<CopiedSequence[]> {
  return db.query<CopiedSequence>({ name: 'pg_class_select_sequences', text: SEQUENCES });
}

const SET_SEQUENCES = `
select setval(format('%I.%I', s.schema, s.name)::regclass, s.value, s.called)
from unnest($1::text[], $2::text[], $3::int8[], $4::bool[]) s (schema, name, value, called)`;

/** Puts sequences where they were. */
export async function updateSequences(db: Queryable, sequences: readonly CopiedSequence[]): Promise<void> {
  const column = <K extends keyof CopiedSequence>(key: K) => sequences.map((sequence) => sequence[key]);
  const values = [column('schema'), column('name'), column('lastValue'), column('isCalled')];
  await db.query({ name: 'pg_class_update_sequences', text: SET_SEQUENCES, values });
}

const HAS_OWNER = `select to_regclass('matrix_operator.owner') is not null as found`;
const CLAIM = 'select claim::text from matrix_operator.owner order by taken_at desc limit 1';

/** The operator's claim on this database; undefined where no operator made it. */
export async function selectClaim(db: Queryable): Promise<string | undefined> {
  const [owner] = await db.query<{ found: boolean }>({ name: 'owner_select_exists', text: HAS_OWNER });
  if (owner?.found !== true) return undefined;
  const [row] = await db.query<{ claim: string }>({ name: 'owner_select_claim', text: CLAIM });
  return row?.claim;
}

/** A name as SQL writes it, quoted. Names come from the catalogue of PostgreSQL, at most 63 bytes. */
export function quoted(...path: readonly string[]): string {
  return path.map((name) => `"${name.replaceAll('"', '""')}"`).join('.');
}

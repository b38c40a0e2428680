import { EXIT_CODES, type ExitCode } from '../contract/exit-codes.ts';
import { canServe, SCHEMA_LEVEL } from '../contract/schema-version.ts';
import type { Queryable } from './database.ts';
import type { SchemaStateRow } from './tables/schema_state.ts';

/** A database that this program must not use; `exitCode` is what the command ends with. */
export class UnfitDatabase extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = 'UnfitDatabase';
    this.exitCode = exitCode;
  }
}

interface CatalogueRow {
  encoding: string;
  collate: string;
  provider: string | null;
  locale: string | null;
  version: number;
}

// Columns of pg_database differ between versions, hence to_jsonb: the provider came with 15, its locale changed its name in 17.
const CATALOGUE = `
select pg_encoding_to_char(d.encoding) as encoding, d.datcollate as collate, to_jsonb(d)->>'datlocprovider' as provider,
  coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale') as locale,
  current_setting('server_version_num')::int4 as version
from pg_database d where d.datname = current_database()`;

const OLDEST_POSTGRES = 140_000;

/** Refuses a database that is too old, not UTF8 or does not compare text byte by byte. */
export async function checkCatalogue(db: Queryable): Promise<void> {
  const [row] = await db.query<CatalogueRow>({ name: 'pg_database_select_self', text: CATALOGUE });
  if (row === undefined) throw new Error('the database is not in its own catalogue');
  if (row.version < OLDEST_POSTGRES) throw wrong(`PostgreSQL 14 or newer is needed, this is ${row.version}`);
  if (row.encoding !== 'UTF8') throw wrong(`the database has the encoding ${row.encoding}, UTF8 is needed`);
  if (!comparesBytes(row)) {
    const found =
      row.provider === null || row.provider === 'c' ? row.collate : `${row.locale} (provider ${row.provider})`;
    throw wrong(
      `the database has the collation ${found}, C is needed: create it with TEMPLATE template0 LC_COLLATE 'C'`,
    );
  }
}

function comparesBytes(row: CatalogueRow): boolean {
  if (row.provider === 'b') return row.locale === 'C' || row.locale === 'C.UTF-8';
  return (row.provider === null || row.provider === 'c') && (row.collate === 'C' || row.collate === 'POSIX');
}

/** Refuses a database that is not migrated, too old or too new for this program, or of another server. */
export function checkSchema(state: SchemaStateRow | undefined, serverName: string | undefined): void {
  if (state === undefined) throw unfit('the database has no schema: run `migrate expand` first');
  const { schema_version: schemaVersion, compat_version: compatVersion } = state;
  if (!canServe({ schemaVersion, compatVersion })) {
    const found = `the database has schema ${schemaVersion}, open to programs from level ${compatVersion}`;
    const remedy = schemaVersion < SCHEMA_LEVEL ? 'run `migrate expand` first' : 'use a newer program';
    throw unfit(`${found}; this program has level ${SCHEMA_LEVEL}: ${remedy}`);
  }
  if (serverName !== undefined && state.server_name !== serverName) {
    throw wrong(`this database belongs to the server ${state.server_name}, the configuration says ${serverName}`);
  }
}

function wrong(message: string): UnfitDatabase {
  return new UnfitDatabase(EXIT_CODES.wrongDatabase, message);
}

function unfit(message: string): UnfitDatabase {
  return new UnfitDatabase(EXIT_CODES.schemaUnfit, message);
}

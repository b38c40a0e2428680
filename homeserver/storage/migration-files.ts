import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';

export type MigrationPhase = 'expand' | 'contract';

/**
 * How a file runs, by its first line: as one transaction (no such line), statement by statement (`-- no transaction`), or
 * batch by batch (`-- batches over TABLE`).
 */
export type MigrationMode = 'transaction' | 'alone' | 'batches';

/** One file of `migrations/`: one change. A line of its head says `expand.` or `contract.` */
export interface MigrationFile {
  name: string;
  phase: MigrationPhase;
  /** SHA-256 of the file, hex. */
  checksum: string;
  mode: MigrationMode;
  /**
   * In the order to run; one text for a transaction. For batches one statement that takes the last key handled ($1) and how
   * many keys to handle ($2) and gives one row: `last` (null when no key was left) and `count`.
   */
  statements: readonly string[];
  /** For batches: the table whose size is the work to do. */
  table: string | undefined;
}

const FOLDER = new URL('./migrations/', import.meta.url);
const NAME = /^\d{4}-[a-z0-9-]+\.sql$/;
const NO_TRANSACTION = '-- no transaction\n';
const BATCHES = /^-- batches over ([a-z_]+)\n/;

/** All migration files by name. Throws for a file whose name or head does not fit. */
export async function loadMigrations(folder: URL = FOLDER): Promise<MigrationFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort(byName);
  return Promise.all(names.map(async (name) => parseMigration(name, await readFile(new URL(name, folder), 'utf8'))));
}

/** By code unit, whatever the locale. */
function byName(a: string, b: string): number {
  return a < b ? -1 : 1;
}

export function parseMigration(name: string, text: string): MigrationFile {
  if (!NAME.test(name)) throw new Error(`migration ${name}: the name must be four digits, a dash, words, .sql`);
  const head = /^-- (expand|contract)\. /m.exec(text)?.[1];
  if (head !== 'expand' && head !== 'contract')
    throw new Error(`migration ${name}: the head must say expand or contract`);
  const checksum = createHash('sha256').update(text).digest('hex');
  return { name, phase: head, checksum, ...bodyOf(name, text) };
}

function bodyOf(name: string, text: string): Pick<MigrationFile, 'mode' | 'statements' | 'table'> {
  const table = BATCHES.exec(text)?.[1];
  if (table === undefined && !text.startsWith(NO_TRANSACTION))
    return { mode: 'transaction', statements: [text], table };
  const statements = text.split(/;\s*\n/).filter((part) => /^[^-\s]/m.test(part));
  if (table === undefined) return { mode: 'alone', statements, table };
  if (statements.length !== 1) throw new Error(`migration ${name}: batches are of one statement`);
  return { mode: 'batches', statements, table };
}

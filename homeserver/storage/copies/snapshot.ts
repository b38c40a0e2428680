import type { Readable } from 'node:stream';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { ConnectionSettings } from '../connection.ts';
import type { Queryable } from '../database.ts';
import { onClient } from '../pool.ts';
import { type CopiedTable, quoted } from './catalogue.ts';
import { openLongSession } from './long-session.ts';
import { takeMigrateLock } from './migrate-lock.ts';

/** A table being read. `rows` is complete when the stream has ended. */
export interface TableCopy {
  readonly stream: Readable;
  rows(): number;
}

/** One moment of a database, read over several connections. */
export interface DatabaseSnapshot {
  readonly db: Queryable;
  /** As many copies at once as there are readers. */
  readonly readers: readonly ((table: CopiedTable) => TableCopy)[];
  close(): Promise<void>;
}

const BEGIN = 'begin isolation level repeatable read read only';
const EXPORT = { name: 'pg_export_snapshot', text: 'select pg_export_snapshot() as id' } as const;
const SNAPSHOT_ID = /^[0-9A-F-]+$/i;

/**
 * Opens a snapshot and `readers` more connections that see the same moment. Holds the lock of migrations, shared, so that
 * no table changes its shape meanwhile. Undefined: a migration is running and did not end within `waitMs`.
 */
export async function openSnapshot(
  connection: ConnectionSettings,
  options: { readers: number; waitMs: number; onWait(): void },
): Promise<DatabaseSnapshot | undefined> {
  const clients: pg.Client[] = [];
  const close = async () => {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  };
  const open = async () => {
    const client = await openLongSession(connection);
    clients.push(client);
    return client;
  };
  try {
    const first = await open();
    const db = onClient(first);
    if (!(await takeMigrateLock(db, { ...options, shared: true }))) {
      await close();
      return undefined;
    }
    await first.query(BEGIN);
    const id = await exportSnapshot(db);
    const readers: DatabaseSnapshot['readers'][number][] = [];
    for (let i = 0; i < options.readers; i += 1) readers.push(readerOf(await joinSnapshot(await open(), id)));
    return { db, readers, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function exportSnapshot(db: Queryable): Promise<string> {
  const [row] = await db.query<{ id: string }>(EXPORT);
  // It goes into a statement as text: `set transaction snapshot` takes no parameter.
  if (row === undefined || !SNAPSHOT_ID.test(row.id)) throw new Error('the database exported no snapshot');
  return row.id;
}

async function joinSnapshot(client: pg.Client, id: string): Promise<pg.Client> {
  await client.query(BEGIN);
  await client.query(`set transaction snapshot '${id}'`);
  return client;
}

function readerOf(client: pg.Client): (table: CopiedTable) => TableCopy {
  return ({ schema, name, columns }) => {
    const list = columns.map((column) => quoted(column)).join(', ');
    const stream = client.query(copyTo(`copy ${quoted(schema, name)} (${list}) to stdout`));
    return { stream, rows: () => stream.rowCount };
  };
}

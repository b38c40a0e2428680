import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { onClient } from '../pool.ts';
import { type CopiedTable, quoted } from './catalogue.ts';
import { selectRunForShare } from './restore-marker.ts';

/**
 * Fills a table with the rows of `source` (text format of COPY), in place of what it holds, and gives their number to
 * `check` before the commit; a throw leaves the table as it was. Rows come in frozen: nobody sees the table meanwhile.
 */
export async function copyIn(
  client: pg.Client,
  table: CopiedTable,
  source: Readable,
  { run, check }: { run: string; check(rows: number): void },
): Promise<void> {
  const name = quoted(table.schema, table.name);
  const list = table.columns.map((column) => quoted(column)).join(', ');
  await client.query('begin');
  try {
    await selectRunForShare(onClient(client), run);
    await client.query(`truncate ${name}`);
    const target = client.query(copyFrom(`copy ${name} (${list}) from stdin with (freeze)`));
    await pipeline(source, target);
    check(target.rowCount);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    source.destroy();
  }
}

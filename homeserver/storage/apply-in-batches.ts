import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from '../log.ts';
import type { MigrationFile } from './migration-files.ts';
import { onClient } from './pool.ts';
import { selectMigrationCursor, updateMigrationCursor, updateMigrationTotal } from './tables/migration_progress.ts';

const LARGEST_BATCH = 5000;
const SMALLEST_BATCH = 100;
/** A batch shall take about so long, ms: its locks are in nobody's way for longer. */
const WANTED_MS = 500;
/** Longest pause after a batch, ms; usually as long as the batch took, so that the server has half of its time for others. */
const LONGEST_PAUSE_MS = 500;
/** Standbys that are further behind, in seconds, get time to catch up, but not for ever. */
const MOST_LAG_SECONDS = 5;
const LAG_PAUSE_MS = 1000;
const MOST_LAG_PAUSES = 60;

/** What a role may not see of other roles' standbys is null, and then nothing is waited for. */
const LAG = 'select coalesce(max(extract(epoch from replay_lag)), 0)::float8 as seconds from pg_stat_replication';

export interface BatchControl {
  readonly log: Logger;
  readonly stop?: AbortSignal;
  /** Runs one batch in a transaction of its own. */
  readonly batch: (work: () => Promise<boolean>) => Promise<boolean>;
  /** Notes the end, in the last transaction. */
  readonly finish: () => Promise<void>;
  readonly stopped: () => Error;
}

/**
 * Runs the file's statement over all keys, by primary key, the cursor in the transaction of its batch: a killed run is
 * continued where it was, and no key is handled twice.
 */
export async function applyInBatches(client: pg.Client, file: MigrationFile, control: BatchControl): Promise<void> {
  const db = onClient(client);
  if (file.table !== undefined) await updateMigrationTotal(db, file.name, file.table);
  let size = LARGEST_BATCH;
  for (;;) {
    if (control.stop?.aborted === true) throw control.stopped();
    const started = performance.now();
    const isDone = await control.batch(() => oneBatch(client, file, size, control));
    if (isDone) return;
    const took = performance.now() - started;
    size = nextSize(size, took);
    await pause(Math.min(took, LONGEST_PAUSE_MS));
    await waitForStandbys(client, control);
  }
}

async function oneBatch(
  client: pg.Client,
  file: MigrationFile,
  size: number,
  { finish }: BatchControl,
): Promise<boolean> {
  const db = onClient(client);
  const cursor = await selectMigrationCursor(db, file.name);
  const [statement = ''] = file.statements;
  const { rows } = await client.query<{ last: number | null; count: number }>(statement, [cursor, size]);
  const { last = null, count = 0 } = rows[0] ?? {};
  if (last === null) {
    await finish();
    return true;
  }
  if (last <= cursor) throw new Error(`a batch ended at ${last}, not after ${cursor}: it would never end`);
  await updateMigrationCursor(db, { name: file.name, cursor: last, count });
  return false;
}

export function nextSize(size: number, tookMs: number): number {
  const fitting = Math.round((size * WANTED_MS) / Math.max(tookMs, 1));
  // At most twice as much as before: the next keys may be heavier.
  return Math.max(SMALLEST_BATCH, Math.min(LARGEST_BATCH, size * 2, fitting));
}

async function waitForStandbys(client: pg.Client, { log, stop }: BatchControl): Promise<void> {
  for (let waited = 0; waited < MOST_LAG_PAUSES && stop?.aborted !== true; waited += 1) {
    const { rows } = await client.query<{ seconds: number }>(LAG);
    if ((rows[0]?.seconds ?? 0) <= MOST_LAG_SECONDS) return;
    if (waited === 0) log.warn('a standby is behind: the migration waits for it');
    await pause(LAG_PAUSE_MS);
  }
}

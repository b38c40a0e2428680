import type pg from 'pg';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import { applyInBatches } from './apply-in-batches.ts';
import { sqlState } from './database-errors.ts';
import type { MigrationFile } from './migration-files.ts';
import { onClient } from './pool.ts';
import { upsertMigrationProgress } from './tables/migration_progress.ts';
import { insertMigration } from './tables/migrations.ts';

const LOCK_NOT_AVAILABLE = '55P03';
const TRIES = 30;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5000;

export interface ApplyOptions {
  readonly log: Logger;
  /** Ends the work before the next file or batch. */
  readonly stop?: AbortSignal;
}

/** The work was told to end; what is committed stays, the next run goes on there. */
export class MigrationStopped extends Error {
  override readonly name = 'MigrationStopped';

  constructor() {
    super('stopped; the next run goes on from here');
  }
}

/**
 * Applies one file and records it, together where a transaction is possible. Waits at most 2 s for a lock, so that nobody
 * queues up behind us, and tries again up to 30 times.
 */
export async function applyMigration(client: pg.Client, file: MigrationFile, options: ApplyOptions): Promise<void> {
  const started = performance.now();
  await progress(client, file, 'running');
  try {
    await run(client, file, options);
  } catch (error) {
    if (error instanceof MigrationStopped || options.stop?.aborted === true) throw new MigrationStopped();
    await progress(client, file, 'failed').catch(() => undefined);
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`migration ${file.name} failed: ${reason}`, { cause: error });
  }
  options.log.info({ step: file.name, duration_ms: Math.round(performance.now() - started) }, 'migration applied');
}

async function run(client: pg.Client, file: MigrationFile, options: ApplyOptions): Promise<void> {
  const patiently = (work: () => Promise<boolean>) => withPatience(file, options, work);
  switch (file.mode) {
    case 'transaction':
      await patiently(() => inTransaction(client, () => applyAtOnce(client, file)));
      return;
    case 'alone':
      await patiently(() => applyAlone(client, file));
      return;
    case 'batches':
      await applyInBatches(client, file, {
        ...options,
        batch: (work) => patiently(() => inTransaction(client, work)),
        finish: () => record(client, file),
        stopped: () => new MigrationStopped(),
      });
  }
}

/** Again and again while a lock is busy; true is passed through. */
async function withPatience(
  file: MigrationFile,
  { log, stop }: ApplyOptions,
  work: () => Promise<boolean>,
): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    if (stop?.aborted === true) throw new MigrationStopped();
    try {
      return await work();
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE || attempt === TRIES) throw error;
      log.warn({ step: file.name, count: attempt }, 'a lock is busy: trying the migration again');
      await pause(Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS));
    }
  }
}

async function inTransaction(client: pg.Client, work: () => Promise<boolean>): Promise<boolean> {
  await client.query('begin');
  try {
    await client.query("set local lock_timeout = '2s'");
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

async function applyAtOnce(client: pg.Client, file: MigrationFile): Promise<boolean> {
  for (const statement of file.statements) await client.query(statement);
  await record(client, file);
  return true;
}

/** Such a file must be safe to repeat: a kill between its end and its record runs it again. */
async function applyAlone(client: pg.Client, file: MigrationFile): Promise<boolean> {
  await client.query("set lock_timeout = '2s'");
  return applyAtOnce(client, file);
}

async function record(client: pg.Client, file: MigrationFile): Promise<void> {
  const db = onClient(client);
  await insertMigration(db, file);
  await upsertMigrationProgress(db, { name: file.name, phase: file.phase, state: 'done' });
}

async function progress(client: pg.Client, file: MigrationFile, state: 'running' | 'failed'): Promise<void> {
  const db = onClient(client);
  await upsertMigrationProgress(db, { name: file.name, phase: file.phase, state });
}

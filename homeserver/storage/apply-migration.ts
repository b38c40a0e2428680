import type pg from 'pg';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import { applyInBatches } from './apply-in-batches.ts';
import { sqlState } from './database-errors.ts';
import type { MigrationFile } from './migration-files.ts';
import { onClient } from './pool.ts';
import { selectMigrationProgressExists, upsertMigrationProgress } from './tables/migration_progress.ts';
import { insertMigration } from './tables/migrations.ts';

const LOCK_NOT_AVAILABLE = '55P03';
const TRIES = 30;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5000;

/** Tells the operator how it stands with a file. */
type TellProgress = (file: MigrationFile, state: 'running' | 'failed') => Promise<void>;

/** Tells nothing while the table for it is still to come. */
function createTellProgress(client: pg.Client): TellProgress {
  const db = onClient(client);
  let exists = false;
  return async ({ name, phase }, state) => {
    // A table that is there stays, and to look for it again would cost as much as to write to it.
    if (!exists) exists = await selectMigrationProgressExists(db);
    if (exists) await upsertMigrationProgress(db, { name, phase, state });
  };
}

export interface ApplyOptions {
  readonly log: Logger;
  /** The database holds nothing yet: nobody waits for a lock there, so files may share a transaction. */
  readonly isEmpty?: boolean;
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
 * Applies files in order and records each, together with it where a transaction is possible. Waits at most 2 s for a lock, so
 * that nobody queues up behind us, and tries again up to 30 times.
 */
export async function applyMigrations(
  client: pg.Client,
  files: readonly MigrationFile[],
  options: ApplyOptions,
): Promise<void> {
  const tell = createTellProgress(client);
  for (const group of options.isEmpty === true ? grouped(files) : files.map((file) => [file])) {
    if (options.stop?.aborted === true) throw new MigrationStopped();
    const started = performance.now();
    await applyGroup(client, group, { ...options, tell });
    const names = group.map(({ name }) => name).join(' ');
    options.log.info({ step: names, duration_ms: Math.round(performance.now() - started) }, 'migration applied');
  }
}

/** Neighbours that may share a transaction: each commit makes the server look up anew what it knew of the tables. */
function grouped(files: readonly MigrationFile[]): MigrationFile[][] {
  const groups: MigrationFile[][] = [];
  for (const file of files) {
    const last = groups.at(-1);
    if (file.mode === 'transaction' && last?.[0]?.mode === 'transaction') last.push(file);
    else groups.push([file]);
  }
  return groups;
}

type TellingOptions = ApplyOptions & { readonly tell: TellProgress };

async function applyGroup(client: pg.Client, group: readonly MigrationFile[], options: TellingOptions): Promise<void> {
  const [first, ...others] = group;
  if (first === undefined) return;
  await options.tell(first, 'running');
  if (others.length === 0) return explained(first, options, () => run(client, first, options));
  await inTransaction(client, async () => {
    for (const file of group) await explained(file, options, () => applyAtOnce(client, file));
    return true;
  });
}

/** Runs `work`; what it throws says which file it was. */
async function explained(
  file: MigrationFile,
  { stop, tell }: TellingOptions,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof MigrationStopped || stop?.aborted === true) throw new MigrationStopped();
    await tell(file, 'failed').catch(() => undefined);
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`migration ${file.name} failed: ${reason}`, { cause: error });
  }
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
  try {
    await client.query("begin; set local lock_timeout = '2s'");
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
  await insertMigration(onClient(client), file);
}

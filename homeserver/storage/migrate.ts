import type pg from 'pg';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import { type ExpectedProgram, findDifference } from '../contract/expected-program.ts';
import { EXIT_CODES, type ExitCode } from '../contract/exit-codes.ts';
import { COMPAT_LEVEL, SCHEMA_LEVEL } from '../contract/schema-version.ts';
import type { Logger } from '../log.ts';
import { applyMigrations, MigrationStopped } from './apply-migration.ts';
import { asLogin, closeToOlder, endFencedSessions } from './close-to-older.ts';
import { openConnection } from './connection.ts';
import { takeMigrateLock } from './copies/migrate-lock.ts';
import { checkNotHalfRestored } from './copies/restore-marker.ts';
import type { Queryable } from './database.ts';
import { isPassing } from './database-errors.ts';
import { loadMigrations, type MigrationFile, type MigrationPhase } from './migration-files.ts';
import { type MigrationPlan, planMigration } from './plan-migration.ts';
import { onClient } from './pool.ts';
import { restartPositions } from './restart-positions.ts';
import { checkCatalogue, UnfitDatabase } from './schema-check.ts';
import { selectMigrations } from './tables/migrations.ts';
import { selectReplicaSessions } from './tables/replica.ts';
import { selectSchemaState, upsertSchemaState } from './tables/schema_state.ts';

export type MigrateCommand = 'plan' | 'expand' | 'contract' | 'after-restore';

export interface MigrateOptions {
  database: HomeserverConfig['database'];
  serverName: string;
  softwareVersion: string;
  log: Logger;
  /** Ends the work as soon as may be, with exit code 20; the next run goes on there. */
  stop?: AbortSignal;
  /** Longest wait for another migrate, ms. */
  lockWaitMs?: number;
  /** What the caller takes this program for; another one is refused with code 14. */
  expected?: ExpectedProgram;
  /** Another program's files and levels; this program's when absent. */
  program?: { files: readonly MigrationFile[]; level: number; compatLevel: number };
}

export interface MigrateResult {
  exitCode: ExitCode;
  /** One sentence for the operator's eyes. */
  message: string;
  /** Present for `plan` when nothing is refused. */
  plan?: MigrationPlan;
}

const LOCK_WAIT_MS = 600_000;

/** Not on every platform of the server. */
const NOTICE_LOSS = {
  name: 'migrate_notice_loss',
  text: "select set_config('client_connection_check_interval', '10s', false)",
} as const;
const OWN_PID = { name: 'migrate_own_pid', text: 'select pg_backend_pid() as pid' } as const;
const CANCEL = { name: 'migrate_cancel', text: 'select pg_cancel_backend($1)' } as const;
const MAY_CREATE = {
  name: 'migrate_may_create',
  text: `select has_database_privilege(current_database(), 'create') and has_schema_privilege('public', 'create') as may`,
} as const;

interface Session {
  client: pg.Client;
  db: Queryable;
  options: MigrateOptions;
  program: NonNullable<MigrateOptions['program']>;
  stop: AbortSignal;
}

/** Runs one migrate command and says how it ended; never rejects. Safe to repeat and to run twice at once. */
export async function migrate(command: MigrateCommand, options: MigrateOptions): Promise<MigrateResult> {
  let client: pg.Client | undefined;
  try {
    const program = options.program ?? {
      files: await loadMigrations(),
      level: SCHEMA_LEVEL,
      compatLevel: COMPAT_LEVEL,
    };
    const difference = options.expected && findDifference(options.expected, describeProgram(program, options));
    if (difference !== undefined) {
      const message = `this is not the expected program: ${difference}`;
      return { exitCode: EXIT_CODES.unexpectedProgram, message };
    }
    const connection = { database: options.database, applicationName: 'homeserver-migrate' };
    client = await openConnection(connection, { statementTimeoutMs: 0, answerTimeoutMs: 0 });
    const { stop = new AbortController().signal } = options;
    const session = { client, db: onClient(client), options, program, stop };
    return await stoppable(session, () => inSession(command, session));
  } catch (error) {
    return failure(error, options.log);
  } finally {
    await client?.end().catch(() => undefined);
  }
}

/** Told to stop, the statement under way is cancelled; a client that was killed is noticed by the server within 10 s. */
async function stoppable<T>({ db, options, stop }: Session, work: () => Promise<T>): Promise<T> {
  await db.query(NOTICE_LOSS).catch(() => undefined);
  const [backend] = await db.query<{ pid: number }>(OWN_PID);
  const cancel = () => {
    cancelStatement(options, backend?.pid ?? 0).catch((err: unknown) => {
      options.log.warn({ err }, 'the statement under way could not be cancelled');
    });
  };
  stop.addEventListener('abort', cancel, { once: true });
  return work().finally(() => stop.removeEventListener('abort', cancel));
}

async function cancelStatement({ database }: MigrateOptions, pid: number): Promise<void> {
  const other = await openConnection({ database, applicationName: 'homeserver-migrate-cancel' });
  await asLogin(other, () => onClient(other).query({ ...CANCEL, values: [pid] })).finally(() => other.end());
}

function describeProgram(program: Session['program'], { softwareVersion }: MigrateOptions): ExpectedProgram {
  return {
    version: softwareVersion,
    schemaLevel: program.level,
    compatLevel: program.compatLevel,
    migrations: program.files.map(({ name, phase }) => `${phase} ${name}`),
  };
}

function failure(error: unknown, log: Logger): MigrateResult {
  if (error instanceof UnfitDatabase) return { exitCode: error.exitCode, message: error.message };
  if (error instanceof MigrationStopped) return { exitCode: EXIT_CODES.temporary, message: error.message };
  const root = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const exitCode = isPassing(root) ? EXIT_CODES.temporary : EXIT_CODES.failed;
  log.error({ err: error }, 'migration failed');
  return { exitCode, message: error instanceof Error ? error.message : String(error) };
}

async function inSession(command: MigrateCommand, session: Session): Promise<MigrateResult> {
  await checkCatalogue(session.db);
  if (command === 'plan') {
    return look(session);
  }
  if (!(await takeLock(session))) {
    return { exitCode: EXIT_CODES.temporary, message: 'another migrate holds the lock: try again' };
  }
  await checkNotHalfRestored(session.db);
  switch (command) {
    case 'expand':
      return expand(session);
    case 'contract':
      return contract(session);
    case 'after-restore':
      return afterRestore(session);
  }
}

async function look(session: Session): Promise<MigrateResult> {
  const plan = await makePlan(session);
  const [row] = await session.db.query<{ may: boolean }>(MAY_CREATE);
  if (row?.may !== true) {
    const message = 'the database login may not create schemas in the database and tables in its schema public';
    return { exitCode: EXIT_CODES.failed, message };
  }
  return { exitCode: EXIT_CODES.done, message: `${plan.pending.length} migrations to apply`, plan };
}

async function makePlan({ db, options, program }: Session): Promise<MigrationPlan> {
  const state = await selectSchemaState(db);
  const found = {
    state: state && {
      schemaVersion: state.schema_version,
      compatVersion: state.compat_version,
      serverName: state.server_name,
    },
    applied: await selectMigrations(db),
  };
  const planned = planMigration({ ...program, serverName: options.serverName }, found);
  if (planned.ok) return planned.plan;
  throw new UnfitDatabase(planned.exitCode, planned.message);
}

function takeLock({ db, options, stop }: Session): Promise<boolean> {
  const onWait = () => {
    options.log.info('another migrate is running: waiting for it');
  };
  return takeMigrateLock(db, { waitMs: options.lockWaitMs ?? LOCK_WAIT_MS, stop, onWait });
}

async function expand(session: Session): Promise<MigrateResult> {
  const { db, program, options } = session;
  const plan = await makePlan(session);
  // A new database has no older programs: what they would need is left out or removed at once.
  const phases = plan.schemaVersion === null ? (['expand', 'contract'] as const) : (['expand'] as const);
  const count = await applyPending(session, plan, phases);
  await upsertSchemaState(db, {
    schemaVersion: program.level,
    compatVersion: program.compatLevel,
    softwareVersion: options.softwareVersion,
    serverName: options.serverName,
  });
  return {
    exitCode: EXIT_CODES.done,
    message: `expand applied ${count} migrations; schema ${plan.targetSchemaVersion}`,
  };
}

async function contract(session: Session): Promise<MigrateResult> {
  const plan = await makePlan(session);
  if (plan.schemaVersion === null || plan.pending.some((file) => file.phase === 'expand')) {
    return {
      exitCode: EXIT_CODES.schemaUnfit,
      message: 'the expand phase is not complete: run `migrate expand` first',
    };
  }
  const { client, program, options } = session;
  const live = await closeToOlder(client, program.compatLevel, options.softwareVersion);
  if (live.length > 0) {
    const message = `replicas of an older program are still running: ${live.join(', ')}`;
    return { exitCode: EXIT_CODES.temporary, message };
  }
  const left = await endFencedSessions(client, program.compatLevel);
  if (left > 0) {
    return { exitCode: EXIT_CODES.temporary, message: `${left} sessions of dead replicas have not ended yet` };
  }
  const count = await applyPending(session, plan, ['contract']);
  return {
    exitCode: EXIT_CODES.done,
    message: `contract applied ${count} migrations; open from level ${plan.targetCompatVersion}`,
  };
}

async function applyPending(session: Session, plan: MigrationPlan, phases: readonly MigrationPhase[]): Promise<number> {
  const names = new Set(plan.pending.filter(({ phase }) => phases.includes(phase)).map(({ name }) => name));
  const files = session.program.files.filter(({ name }) => names.has(name));
  const isEmpty = plan.schemaVersion === null && files.length === session.program.files.length;
  await applyMigrations(session.client, files, { log: session.options.log, stop: session.stop, isEmpty });
  return files.length;
}

async function afterRestore(session: Session): Promise<MigrateResult> {
  const { client, db } = session;
  const plan = await makePlan(session);
  if (plan.schemaVersion === null) {
    return { exitCode: EXIT_CODES.schemaUnfit, message: 'there is nothing restored here: the database has no schema' };
  }
  if ((await asLogin(client, () => selectReplicaSessions(db))) > 0) {
    return { exitCode: EXIT_CODES.temporary, message: 'replicas are using this database: stop them first' };
  }
  await client.query('begin');
  try {
    const position = await restartPositions(db);
    await client.query('commit');
    return { exitCode: EXIT_CODES.done, message: `positions continue after ${position}` };
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

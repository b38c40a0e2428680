import { openSession } from './sessions.ts';
import type { DatabaseLogin, Session } from './connect.ts';
import { LEDGER_SQL, actAsOwnerSql, adminSql, recordOwnerSql } from './database-sql.ts';
import type { AdminAction, Claim, SqlInput } from './database-sql.ts';
import type { DatabaseAction, DatabaseStep } from './plan-database.ts';

/** What a step is run with. */
export interface Execution extends SqlInput {
  /** On the maintenance database, holding the lock. */
  readonly admin: Session;
  readonly tenant: DatabaseLogin;
  /** `namespace/name`, for the owner row. */
  readonly resource: string;
}

/** Runs one step. Killed in the middle, the next observation and plan take up what is left. */
export async function executeStep(step: DatabaseStep, execution: Execution): Promise<void> {
  const { admin, tenant } = execution;
  const actions = step.actions.filter(isAdminAction);
  switch (step.name) {
    case 'roles':
      return runAtOnce(admin, sqlOf(actions, execution));
    case 'own':
      return runAtOnce(admin, own(actions, execution));
    case 'membership':
    case 'database':
    case 'release':
      return runAll(actions, execution);
    case 'inside':
      return openSession(tenant, (session) => writeLedger(session, step.actions, execution));
  }
}

/** `if not exists` alone fails when two sessions create the same thing at once. */
const LOCK_LEDGER = "select pg_advisory_xact_lock(hashtextextended('matrix_operator ledger', 0))";

/** The ledger, and this claim as the latest owner. */
export function writeLedger(
  session: Session,
  actions: readonly DatabaseAction[],
  { wanted, resource }: { wanted: Claim; resource: string },
): Promise<void> {
  const make = actions.includes('makeLedger') ? LEDGER_SQL : [];
  const record = actions.includes('recordOwner') ? [recordOwnerSql(wanted, resource)] : [];
  return runAtOnce(session, [LOCK_LEDGER, ...make, ...record]);
}

async function runAll(actions: readonly AdminAction[], execution: Execution): Promise<void> {
  for (const action of actions) await execution.admin.query(adminSql(action, execution));
}

function sqlOf(actions: readonly AdminAction[], execution: Execution): string[] {
  return actions.map((action) => adminSql(action, execution));
}

/** Statements that are sent together are one transaction, and one round trip. */
async function runAtOnce(session: Session, statements: readonly string[]): Promise<void> {
  await session.query(statements.join(';\n'));
}

/** Changing the owner needs the old owner's rights, the rest the new owner's (18 refuses the comment otherwise). */
function own(actions: readonly AdminAction[], execution: Execution): string[] {
  const isTaking = (action: AdminAction) => action === 'takeDatabase';
  return [
    ...sqlOf(actions.filter(isTaking), execution),
    actAsOwnerSql(execution.wanted),
    ...sqlOf(
      actions.filter((action) => !isTaking(action)),
      execution,
    ),
  ];
}

function isAdminAction(action: DatabaseAction): action is AdminAction {
  return action !== 'makeLedger' && action !== 'recordOwner';
}

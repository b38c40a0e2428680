import * as z from 'zod';
import { OperatorError } from '../errors.ts';
import { isOurSpare } from './check-found.ts';
import type { DatabaseLogin, Session } from './connect.ts';
import type { FoundServer, WantedDatabase } from './database-facts.ts';
import { loginRole, otherLoginRole } from './database-sql.ts';
import { executeStep } from './execute-plan.ts';
import { observeDatabase } from './observe-database.ts';
import { planDatabase } from './plan-database.ts';
import type { DatabaseStep } from './plan-database.ts';
import type { DatabaseFacts, ProvisionResult } from './provision-result.ts';
import { takesNoWrites } from './takes-no-writes.ts';
import { withAdminSession } from './sessions.ts';
import type { TenantSession } from './sessions.ts';
import { scramVerifier } from './scram.ts';

export { checkExistingDatabase } from './check-existing.ts';
export type { ProvisionResult } from './provision-result.ts';

export interface ProvisionInput {
  /** Administrator's login on the maintenance database. */
  readonly admin: DatabaseLogin;
  readonly wanted: WantedDatabase;
  /** Password of the tenant's login, as it stands in `<n>-db`; printable ASCII. */
  readonly password: string;
  /** `namespace/name` of the resource, for the owner row. */
  readonly resource: string;
  /** Keeps the tenant's session for the steps that follow; absent: each use logs in and out. */
  readonly keeper?: TenantSession;
}

/** From nothing it takes two: make, make what is inside. One more for a taken database. */
const MAX_ROUNDS = 6;
const LOCK = `select pg_advisory_lock(hashtextextended('matrix-operator ' || $1, 0)),
  current_setting('transaction_read_only')::boolean as is_read_only`;
const LockRow = z.object({ is_read_only: z.boolean() });

/** The tenant's own login to the database that `wanted` names. */
export function tenantLogin({ admin, wanted, password, resource, keeper }: ProvisionInput): DatabaseLogin {
  const { host, port, tls } = admin;
  const credentials = `database Secret of ${resource}`;
  const kept = keeper === undefined ? {} : { keeper };
  return { host, port, tls, database: wanted.name, username: loginRole(wanted), password, credentials, ...kept };
}

/**
 * Makes role, login, database, marker and ledger schema, or says why not. Safe to repeat, to be killed anywhere and to
 * run twice at once: an advisory lock queues, and each step looks first. Errors: as `withSession`.
 */
export function provisionDatabase(input: ProvisionInput): Promise<ProvisionResult> {
  return withLockedAdmin(input, (admin) => converge(admin, input));
}

/** What the administrator's session is opened for. */
export type LockInput = Pick<ProvisionInput, 'admin' | 'keeper'> & { readonly wanted: Pick<WantedDatabase, 'name'> };

/** Runs `work` with the administrator's session while it holds the lock on this database; room for one more session. */
export async function withLockedAdmin<T>(
  { admin, wanted, keeper }: LockInput,
  work: (admin: Session) => Promise<T>,
): Promise<T> {
  try {
    return await withAdminSession(admin, keeper, async (session) => {
      const [row] = await session.query(LOCK, [wanted.name]);
      if (LockRow.parse(row).is_read_only) throw takesNoWrites(admin);
      return work(session);
    });
  } catch (error) {
    // A missing maintenance database is a wrong setting, not a lost database.
    if (!(error instanceof OperatorError) || error.reason !== 'DatabaseLost') throw error;
    throw new OperatorError('LoginRefused', `${error.message}; correct database.server.maintenanceDatabase`, error);
  }
}

/** Looks and acts until nothing is left to do. The session holds the lock. */
export async function converge(admin: Session, input: ProvisionInput): Promise<ProvisionResult> {
  const { wanted, resource } = input;
  const tenant = tenantLogin(input);
  let changes = 0;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const found = await observeDatabase(admin, tenant, wanted);
    const plan = planDatabase(wanted, found);
    if (plan.refusal !== undefined) return { ok: false, refusal: plan.refusal };
    if (plan.steps.length === 0) return { ok: true, facts: factsOf(wanted, found), changes };
    const verifier = setsPassword(plan.steps) ? scramVerifier(input.password) : '';
    for (const step of plan.steps) {
      await executeStep(step, { admin, tenant, wanted, verifier, resource, versionNumber: found.versionNumber });
      changes += step.actions.length;
    }
    // The last of all, in one transaction that has ended well.
    if (plan.steps.every(({ name }) => name === 'inside')) return { ok: true, facts: factsOf(wanted, found), changes };
  }
  throw new Error(`database "${wanted.name}" does not come to rest after ${MAX_ROUNDS} rounds`);
}

/** A verifier takes milliseconds to make. */
function setsPassword(steps: readonly DatabaseStep[]): boolean {
  return steps.some(({ actions }) => actions.includes('createLogin') || actions.includes('setPassword'));
}

function factsOf(wanted: WantedDatabase, found: FoundServer): DatabaseFacts {
  const { name, claim } = wanted;
  return {
    ...{ name, owner: name, loginRole: loginRole(wanted), claim, serverVersion: found.version },
    ...(found.login?.otherIsOpen === true ? { openLogin: otherLoginRole(wanted) } : {}),
    ...(isOurSpare(wanted, found) ? { spare: { drill: found.spare?.marker?.drill } } : {}),
  };
}

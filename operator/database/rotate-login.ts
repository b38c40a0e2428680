import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { openSession } from './sessions.ts';
import type { DatabaseLogin, Session } from './connect.ts';
import { loginRole, otherLoginRole } from './database-sql.ts';
import { converge, tenantLogin, withLockedAdmin } from './provision.ts';
import type { ProvisionInput } from './provision.ts';
import type { Refusal } from './check-found.ts';
import { quoteIdentifier, quoteLiteral } from './quote-identifier.ts';
import { scramVerifier } from './scram.ts';

export interface NextLogin {
  readonly login: 0 | 1;
  readonly password: string;
}

export interface RotationInput extends ProvisionInput {
  /** Whether `<n>-db` still names the login of `wanted`; asked under the lock, so that of two operators one goes on. */
  readonly isCurrent: () => Promise<boolean>;
}

export type RotationResult =
  | { readonly state: 'done' }
  /** Another operator was faster. */
  | { readonly state: 'overtaken' }
  /** `who` still uses the login that is to be changed. */
  | { readonly state: 'in use'; readonly who: string }
  | { readonly state: 'refused'; readonly refusal: Refusal };

/**
 * Makes or resets the login that is not in use and, once it works, has it written to `<n>-db` by `commit`. Killed before that,
 * the next run begins anew with another password: nobody knew this one. Errors: as `withSession`, and those of `commit`.
 */
export function rotateLogin(input: RotationInput, commit: (next: NextLogin) => Promise<void>): Promise<RotationResult> {
  return withLockedAdmin(input, async (admin) => {
    const stop = await reasonToStop(admin, input);
    if (stop !== undefined) return stop;
    const next: NextLogin = { login: input.wanted.login === 0 ? 1 : 0, password: newPassword() };
    const wanted = { ...input.wanted, login: next.login };
    const made = await converge(admin, { ...input, wanted, password: next.password });
    if (!made.ok) return { state: 'refused', refusal: made.refusal };
    await commit(next);
    return { state: 'done' };
  });
}

/** Closes the login that is not in use, once nobody uses it: it may not log in, and its password is forgotten. */
export function retireLogin(input: RotationInput): Promise<RotationResult> {
  return withLockedAdmin(input, async (admin) => {
    const stop = await reasonToStop(admin, input);
    if (stop !== undefined) return stop;
    const role = quoteIdentifier(otherLoginRole(input.wanted));
    await admin.query(`alter role ${role} nologin password ${quoteLiteral(scramVerifier(newPassword()))}`);
    return { state: 'done' };
  });
}

/** A password with 192 random bits. */
export function newPassword(): string {
  return randomBytes(24).toString('base64url');
}

async function reasonToStop(admin: Session, input: RotationInput): Promise<RotationResult | undefined> {
  if (!(await input.isCurrent())) return { state: 'overtaken' };
  const who = await userOfOtherLogin(admin, tenantLogin(input), input);
  return who === undefined ? undefined : { state: 'in use', who };
}

const SESSIONS = `select count(*)::integer as count from pg_stat_activity
  where usename = $1 and application_name <> 'matrix-operator'`;
/**
 * Replicas that live without a session of the login in use: between two connections one may come back with the other.
 * `session_user` is the login in use, since this runs as the tenant.
 */
const HIDDEN_REPLICAS = `select count(*)::integer as count from ops.replica r
  where r.heartbeat > extract(epoch from now()) * 1000 - 30000 and r.fenced_at is null and not exists (
    select from pg_stat_activity a where a.application_name = r.backend_tag and a.usename = session_user)`;
const Count = z.object({ count: z.int() });
const Exists = z.object({ found: z.boolean() });

async function userOfOtherLogin(
  admin: Session,
  tenant: DatabaseLogin,
  { wanted }: RotationInput,
): Promise<string | undefined> {
  const other = otherLoginRole(wanted);
  const { count: sessions } = Count.parse((await admin.query(SESSIONS, [other]))[0]);
  if (sessions > 0) return `${sessions} sessions of ${other}`;
  const hidden = await openSession(tenant, countHiddenReplicas);
  return hidden === 0 ? undefined : `${hidden} replicas that have no session of ${loginRole(wanted)} yet`;
}

async function countHiddenReplicas(session: Session): Promise<number> {
  const [exists] = await session.query("select to_regclass('ops.replica') is not null as found");
  if (!Exists.parse(exists).found) return 0;
  return Count.parse((await session.query(HIDDEN_REPLICAS))[0]).count;
}

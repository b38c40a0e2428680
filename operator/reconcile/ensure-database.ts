import type { Spec } from '../api/matrix-homeserver.ts';
import type { DatabaseLogin } from '../database/connect.ts';
import type { ProvisionInput, ProvisionResult } from '../database/provision.ts';
import { checkExistingDatabase, provisionDatabase, tenantLogin } from '../database/provision.ts';
import { childNames } from '../resources/names.ts';
import type { RotationInput } from '../database/rotate-login.ts';
import { tell } from './announce.ts';
import { isLoginCurrent, markProvisioned } from './ensure-database-secret.ts';
import type { ReadyDatabase } from './ready-database.ts';
import type { Secrets } from './ensure-secrets.ts';
import { rotatePassword } from './rotate-password.ts';
import type { StepContext, StepResult } from './step.ts';
import { done, refused } from './step.ts';

/** Makes the role and the database, or checks the one that somebody else made. */
export async function ensureDatabase(ctx: StepContext, secrets: Secrets): Promise<StepResult<ReadyDatabase>> {
  const work = prepare(ctx, secrets);
  const stop = ctx.env.metrics.sqlSeconds.startTimer({ step: 'database' });
  const result = await work.run().finally(stop);
  if (!result.ok) return refused(result.refusal.reason, result.refusal.message);
  await markProvisioned(ctx, secrets.access);
  if (result.changes > 0) ctx.log.info({ step: 'database', count: result.changes }, 'the database was changed');
  const { login, rotation } = work;
  await warnOfWeakness(ctx, login);
  const { passwordVersion } = secrets.access;
  if (rotation !== undefined && (passwordVersion ?? 0) < ctx.homeserver.spec.database.passwordVersion) {
    return rotatePassword(ctx, secrets, rotation);
  }
  const ready = { login, rotation, passwordVersion, facts: result.facts };
  return done(ready, describe(login, result.facts.serverVersion));
}

interface Work {
  readonly login: DatabaseLogin;
  readonly rotation: RotationInput | undefined;
  readonly run: () => Promise<ProvisionResult>;
}

function prepare(ctx: StepContext, { references, access }: Secrets): Work {
  const { spec } = ctx.homeserver;
  const { serverName } = spec;
  const { admin, existing: named } = references;
  if (named !== undefined) {
    const existing = { ...named, keeper: ctx.tenant };
    const owner = { serverName, claim: access.claim, resource: ctx.key, provisionedBefore: access.provisioned };
    return { login: existing, rotation: undefined, run: () => checkExistingDatabase(existing, owner) };
  }
  if (admin === undefined) throw new Error('the schema lets exactly one of serverRef, server and existing through');
  const input: ProvisionInput = {
    admin,
    wanted: {
      name: access.name,
      claim: access.claim,
      serverName,
      adoptPolicy: spec.database.adoptPolicy,
      login: access.login,
      connectionLimit: connectionLimit(spec),
      provisionedBefore: access.provisioned,
    },
    password: access.password,
    resource: ctx.key,
    keeper: ctx.tenant,
  };
  const credentials = `Secret ${ctx.owner.namespace}/${childNames(ctx.owner.name).databaseSecret}`;
  const rotation = { ...input, isCurrent: () => isLoginCurrent(ctx, access) };
  return { login: { ...tenantLogin(input), credentials }, rotation, run: () => provisionDatabase(input) };
}

function describe(login: DatabaseLogin, serverVersion: string): string {
  const place = `${login.database} on ${login.host}:${login.port}, PostgreSQL ${serverVersion}`;
  const weakness = weaknessOf(login.tls.mode);
  return weakness === undefined ? place : `${place}; ${weakness}`;
}

/** What an attacker on the network could do; undefined when nothing. */
function weaknessOf(mode: DatabaseLogin['tls']['mode']): string | undefined {
  switch (mode) {
    case 'Disable':
      return 'the connection is not encrypted (database.tls.mode Disable)';
    case 'Require':
      return 'the server is not authenticated (database.tls.mode Require)';
    case 'VerifyCA':
    case 'VerifyFull':
      return undefined;
  }
}

/** Said once: from then on it stands in the message of DatabaseReady. */
async function warnOfWeakness(ctx: StepContext, login: DatabaseLogin): Promise<void> {
  const weakness = weaknessOf(login.tls.mode);
  const said = ctx.homeserver.status.conditions.find(({ type }) => type === 'DatabaseReady')?.message ?? '';
  if (weakness === undefined || said.includes(weakness)) return;
  await tell(ctx, { type: 'Warning', reason: 'DatabaseNotProtected', action: 'Connect', message: weakness });
}

/**
 * Two whole generations of pods, one more pod and one that is on its way out, and some for looking in: pods that drain keep
 * their connections, and with room for one generation and a pod only, two changes within seconds left the newest without.
 */
function connectionLimit({ replicas, autoscaling, database }: Spec): number {
  const most = Math.max(replicas, autoscaling?.maxReplicas ?? 0);
  return (2 * most + 2) * database.poolSize + 5;
}

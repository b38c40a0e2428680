import { otherLoginRole } from '../database/database-sql.ts';
import { retireLogin, rotateLogin } from '../database/rotate-login.ts';
import type { RotationInput, RotationResult } from '../database/rotate-login.ts';
import { tell } from './announce.ts';
import { writeNextLogin } from './ensure-database-secret.ts';
import type { ReadyDatabase } from './ready-database.ts';
import type { Secrets } from './ensure-secrets.ts';
import type { Blocked, StepContext, StepResult, Waiting } from './step.ts';
import { done, refused, waiting } from './step.ts';

/** How soon to look again whether a login is still in use, in ms: nothing tells when a session ends. */
const IN_USE_LOOK_MS = 5000;

/** Moves `<n>-db` to the idle login with a new password; the next run rolls the pods. */
export async function rotatePassword(
  ctx: StepContext,
  { access, references: { admin } }: Secrets,
  rotation: RotationInput,
): Promise<Waiting | Blocked> {
  if (admin === undefined) throw new Error('only a database that the operator made is rotated');
  const stop = ctx.env.metrics.sqlSeconds.startTimer({ step: 'rotate' });
  const commit = (next: Parameters<typeof writeNextLogin>[2]) => writeNextLogin(ctx, { admin, access }, next);
  const result = await rotateLogin(rotation, commit).finally(stop);
  if (result.state !== 'done') return unfinished(result);
  const role = otherLoginRole(rotation.wanted);
  const version = ctx.homeserver.spec.database.passwordVersion;
  const message = `passwordVersion ${version}: replicas move to the login ${role}`;
  ctx.log.info({ step: 'database' }, 'the password was rotated');
  await tell(ctx, { type: 'Normal', reason: 'PasswordRotated', action: 'Rotate', message });
  return waiting('Rolling', message, 0);
}

/** Closes the login that replicas have moved away from; called when they all serve, and no condition waits for it. */
export async function retirePassword(
  ctx: StepContext,
  { rotation, facts, passwordVersion }: ReadyDatabase,
): Promise<StepResult<undefined>> {
  if (rotation === undefined || facts.openLogin === undefined) return done(undefined);
  const stop = ctx.env.metrics.sqlSeconds.startTimer({ step: 'retire' });
  const result = await retireLogin(rotation).finally(stop);
  if (result.state !== 'done') return unfinished(result);
  ctx.log.info({ step: 'retire' }, 'the old login was closed');
  const message = `passwordVersion ${passwordVersion ?? 0}: the login ${facts.openLogin} was closed, nobody uses it any more`;
  await tell(ctx, { type: 'Normal', reason: 'OldLoginClosed', action: 'Rotate', message });
  return done(undefined);
}

function unfinished(result: Exclude<RotationResult, { state: 'done' }>): Waiting | Blocked {
  switch (result.state) {
    case 'overtaken':
      return waiting('Rolling', 'the password was just rotated', 0);
    case 'in use':
      return waiting('Rolling', `waits for ${result.who}`, IN_USE_LOOK_MS);
    case 'refused':
      return refused(result.refusal.reason, result.refusal.message);
  }
}

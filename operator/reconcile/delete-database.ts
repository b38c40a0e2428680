import { dropDatabase } from '../database/drop-database.ts';
import type { DropResult } from '../database/drop-database.ts';
import { isForbidden } from '../runtime/kube-error.ts';
import type { DropAccess } from './deletions.ts';
import { databaseName } from './ensure-database-secret.ts';
import { readAdmin } from './resolve-references.ts';
import { readSecret } from './secret-data.ts';
import type { SecretData } from './secret-data.ts';
import type { StepContext } from './step.ts';

/**
 * Drops the database of a resource that is deleted; undefined with `database.existing`, which is not ours to drop. Errors: as
 * `withSession`, SecretMissing, ServerNotAllowed, KubeError.
 */
export async function deleteDatabase(
  ctx: StepContext,
  { terminating, force }: { readonly terminating: boolean; readonly force: boolean },
): Promise<DropResult | undefined> {
  if (ctx.homeserver.spec.database.existing !== undefined) return undefined;
  const access = terminating ? await lastingAccess(ctx) : await readAccess(ctx, terminating);
  if (access === undefined) return undefined;
  const stop = ctx.env.metrics.sqlSeconds.startTimer({ step: 'drop' });
  return dropDatabase({ ...access, name: databaseName(ctx), force }).finally(stop);
}

/** As read now, or as read before the namespace lost its Secrets. */
async function lastingAccess(ctx: StepContext): Promise<DropAccess | undefined> {
  const { deletions } = ctx.env;
  const { key, owner } = ctx;
  const kept = deletions.accessOf(key, owner.uid);
  try {
    const access = (await readAccess(ctx, true)) ?? kept;
    if (access !== undefined) deletions.keepAccess(key, owner.uid, access);
    return access;
  } catch (error) {
    if (kept === undefined) throw error;
    return kept;
  }
}

/** undefined when there is nothing to drop. */
async function readAccess(ctx: StepContext, terminating: boolean): Promise<DropAccess | undefined> {
  const secret = await ownSecret(ctx, terminating);
  const claim = secret?.values['claim'] ?? ctx.homeserver.status.database?.claim;
  // Nothing was ever made, so there is no server to ask.
  if (claim === undefined && secret === undefined) return undefined;
  const admin = await readAdmin(ctx);
  return admin === undefined ? undefined : { admin, claim };
}

/** A namespace that is being deleted may have lost the Secret, and us the right to read it: the status knows the claim too. */
async function ownSecret({ env, owner, names }: StepContext, terminating: boolean): Promise<SecretData | undefined> {
  try {
    return await readSecret(env.client, { namespace: owner.namespace, name: names.databaseSecret });
  } catch (error) {
    if (terminating && isForbidden(error)) return undefined;
    throw error;
  }
}

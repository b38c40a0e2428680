import { dropDatabase } from '../database/drop-database.ts';
import type { DropResult } from '../database/drop-database.ts';
import { isForbidden } from '../runtime/kube-error.ts';
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
  const { database } = ctx.homeserver.spec;
  if (database.existing !== undefined) return undefined;
  const secret = await ownSecret(ctx, terminating);
  const last = ctx.homeserver.status.database;
  const claim = secret?.values['claim'] ?? last?.claim;
  // Nothing was ever made, so there is no server to ask.
  if (claim === undefined && secret === undefined) return undefined;
  const admin = await readAdmin(ctx);
  if (admin === undefined) return undefined;
  const stop = ctx.env.metrics.sqlSeconds.startTimer({ step: 'drop' });
  return dropDatabase({ admin, name: databaseName(ctx), claim, force }).finally(stop);
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

import type { Manifest } from '../resources/manifest.ts';
import { isAlreadyExists } from '../runtime/kube-error.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import type { SecretData } from './secret-data.ts';
import { decodeSecret, readSecret } from './secret-data.ts';
import type { StepContext } from './step.ts';

/**
 * The Secret of that name, made where there is none. Where the watch shows none, most likely none is there: then it is made
 * without a look, and what is there after all counts all the same.
 */
export async function findOrCreate(ctx: StepContext, name: string, manifest: () => Manifest): Promise<SecretData> {
  const { caches, client } = ctx.env;
  const { namespace } = ctx.owner;
  const isShown = caches.versionOf(KINDS.secret, { namespace, name }) !== undefined;
  const found = isShown || !caches.seesSecrets(namespace) ? await readSecret(client, { namespace, name }) : undefined;
  return found ?? createOrRead(ctx, manifest());
}

/** Creates a Secret; when another was faster, its content counts. */
async function createOrRead({ env }: StepContext, manifest: Manifest): Promise<SecretData> {
  try {
    return decodeSecret(await env.client.create(KINDS.secret, manifest, MANAGERS.secrets));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const found = await readSecret(env.client, manifest.metadata);
    if (found === undefined) throw error;
    return found;
  }
}

import type { Manifest } from '../resources/manifest.ts';
import { isAlreadyExists } from '../runtime/kube-error.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import type { SecretData } from './secret-data.ts';
import { decodeSecret, readSecret } from './secret-data.ts';
import type { StepContext } from './step.ts';

/** Creates a Secret; when another was faster, its content counts. */
export async function createOrRead({ env }: StepContext, manifest: Manifest): Promise<SecretData> {
  try {
    return decodeSecret(await env.client.create(KINDS.secret, manifest, MANAGERS.secrets));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const found = await readSecret(env.client, manifest.metadata);
    if (found === undefined) throw error;
    return found;
  }
}

import { HOMESERVER_LABEL, RETAINED_LABEL } from '../resources/labels.ts';
import { deleteSecret } from './delete-secret.ts';
import { KINDS } from './kinds.ts';
import type { StepContext } from './step.ts';

/** Deletes the Secrets and the volume claims that outlive a resource with Retain. */
export async function deleteRetained({ env, owner }: StepContext): Promise<void> {
  const { namespace } = owner;
  const labelSelector = `${RETAINED_LABEL}=true,${HOMESERVER_LABEL}=${owner.name}`;
  const claims = await env.client.list(KINDS.persistentVolumeClaim, { namespace, labelSelector });
  for (const { metadata } of claims.items) {
    const { name, uid } = metadata;
    await env.client.delete(KINDS.persistentVolumeClaim, { namespace, name }, { uid });
  }
  const secrets = await env.client.list(KINDS.secret, { namespace, labelSelector });
  for (const secret of secrets.items) await deleteSecret({ env }, secret);
}

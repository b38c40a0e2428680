import { GROUP } from '../api/matrix-homeserver.ts';
import { PROTECT_LABEL } from '../resources/labels.ts';
import { isNotFound } from '../runtime/kube-error.ts';
import type { KubeObject } from '../runtime/kube-object.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import type { StepContext } from './step.ts';

/** On a protected Secret: whoever wrote it means to delete it. */
const ALLOW_DELETE_ANNOTATION = `${GROUP}/allow-delete`;

/**
 * Deletes a Secret as it was read. A protected one is marked first, as a person would have to: a cluster may hold several
 * installations of the chart, and the admission policy of each knows its own operator only. One that is gone is no error.
 */
export async function deleteSecret({ env }: Pick<StepContext, 'env'>, secret: KubeObject): Promise<void> {
  const { namespace, name, uid } = secret.metadata;
  try {
    if (!mayBeDeleted(secret)) await env.client.replace(KINDS.secret, marked(secret), MANAGERS.secrets);
    await env.client.delete(KINDS.secret, { name, ...(namespace === undefined ? {} : { namespace }) }, { uid });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Asked each time: a run that was killed after the mark goes on with the deletion. */
function mayBeDeleted({ metadata: { labels, annotations } }: KubeObject): boolean {
  return labels?.[PROTECT_LABEL] !== 'true' || annotations?.[ALLOW_DELETE_ANNOTATION] !== undefined;
}

function marked(secret: KubeObject): KubeObject {
  const annotations = { ...secret.metadata.annotations, [ALLOW_DELETE_ANNOTATION]: 'true' };
  return { ...secret, apiVersion: 'v1', kind: 'Secret', metadata: { ...secret.metadata, annotations } };
}

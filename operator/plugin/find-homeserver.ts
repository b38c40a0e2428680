import { MatrixHomeserver } from '../api/matrix-homeserver.ts';
import { KINDS } from '../reconcile/kinds.ts';
import type { KubeObject } from '../runtime/kube-object.ts';
import type { Cluster } from './cluster.ts';
import { PluginError } from './terminal.ts';

/** A resource as the API server gave it, and what this program understands of it. */
export interface Found {
  readonly object: KubeObject;
  readonly homeserver: MatrixHomeserver;
}

/** The resource with this name; a PluginError says where it was looked for. */
export async function findHomeserver({ client, namespace }: Cluster, name: string): Promise<Found> {
  const object = await client.get(KINDS.homeserver, { namespace, name });
  if (object !== undefined) return { object, homeserver: understand(object) };
  throw new PluginError(
    `there is no MatrixHomeserver ${name} in namespace ${namespace}; kubectl matrix status -A lists all`,
  );
}

/** What this program understands of a resource; a newer operator may write what it does not. */
export function understand(object: KubeObject): MatrixHomeserver {
  const parsed = MatrixHomeserver.safeParse(object);
  if (parsed.success) return parsed.data;
  const { namespace = '', name } = object.metadata;
  const [issue] = parsed.error.issues;
  const where = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
  throw new PluginError(
    `the MatrixHomeserver ${namespace}/${name} is not understood (${where}); is kubectl-matrix older than the operator?`,
  );
}

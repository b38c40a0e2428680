import { KINDS } from '../reconcile/kinds.ts';
import type { PatchOperation } from '../runtime/kube-client.ts';
import { KubeError } from '../runtime/kube-error.ts';
import type { Cluster } from './cluster.ts';
import { MANAGER } from './cluster.ts';
import { json } from './command.ts';
import type { Terminal } from './terminal.ts';
import { PluginError } from './terminal.ts';
import { toYaml } from './text/yaml.ts';

/** A change of `spec`: as a person writes it into a manifest, and as the API server takes it. */
export interface SpecChange {
  readonly name: string;
  /** The part of the manifest that the change is in. */
  readonly patch: { readonly spec: object };
  /** Guarded by a `test` of what the change was worked out from. */
  readonly operations: readonly PatchOperation[];
  /** What it leads to. */
  readonly why: readonly string[];
}

export interface ChangeOptions {
  /** Whether to write it; otherwise it is only shown. */
  readonly apply: boolean;
  readonly asJson: boolean;
  /** The command line that would apply it. */
  readonly again: string;
}

/**
 * Shows a change of `spec`, and applies it only when told to: Git is where a resource is written. The patch alone goes
 * to standard output, so it can be piped on.
 */
export async function changeSpec(
  cluster: Cluster,
  at: Terminal,
  change: SpecChange,
  { apply, asJson, again }: ChangeOptions,
): Promise<void> {
  if (apply) await applyChange(cluster, change);
  if (asJson) {
    at.write(json({ patch: change.patch, applied: apply, notes: change.why }));
    return;
  }
  at.write(toYaml(change.patch));
  for (const line of change.why) at.tell(`# ${line}`);
  if (apply)
    at.tell(`# Applied to ${cluster.namespace}/${change.name}. Write the same into its manifest, or Git undoes it.`);
  else
    at.tell(
      `# Nothing is changed yet: write this into the manifest and commit it. Where none is in Git:\n#   ${again}`,
    );
}

async function applyChange({ client, namespace }: Cluster, { name, operations }: SpecChange): Promise<void> {
  try {
    await client.patch(KINDS.homeserver, { namespace, name }, operations, MANAGER);
  } catch (error) {
    if (error instanceof KubeError && error.status === 422 && !error.message.includes('spec.')) {
      throw new PluginError(`${namespace}/${name} has changed in between: look at it again`, { cause: error });
    }
    throw error;
  }
}

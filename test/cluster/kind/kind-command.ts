import { binary } from '../binaries.ts';
import { findProgram } from '../local/packages.ts';
import { canRun, runCommand } from '../run-command.ts';

const TIMEOUT_MS = 15 * 60_000;

/** Runs Kubernetes' own kind and gives its standard output; built from source if it is not on PATH. */
export async function runKind(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  return runCommand(await kindPath(), args, { timeoutMs: TIMEOUT_MS, env });
}

/** Brings an image archive to every node of a kind cluster. */
export async function loadKindImage(cluster: string, archive: string): Promise<void> {
  await runKind(['load', 'image-archive', archive, '--name', cluster]);
}

/** An unrelated npm package has the same name: the program on PATH must say that it is the Kubernetes tool. */
async function kindPath(): Promise<string> {
  const found = findProgram('kind');
  if (found !== undefined && (await canRun(found, ['get', 'clusters']))) return found;
  return binary('kind');
}

import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

const Identity = z.object({ pid: z.number().int().positive(), startTicks: z.number().int() });

/** What is running for an instance; all else of it (processes, mounts, networks) lives and dies with `init`. */
const State = z.object({
  version: z.literal(1),
  name: z.string(),
  /** First process of the node's process, mount and network namespaces: when it ends, the kernel ends all inside. */
  init: Identity,
  /** The program outside that started it and waits for it. */
  keeper: Identity,
  /** Folder below every cgroup hierarchy. */
  cgroup: z.string().startsWith('/matrix-operator/'),
  slot: z.number().int().optional(),
  /** Kernel's number of the interface of the slot: its name is another cluster's as soon as the slot is free. */
  linkIndex: z.number().int().optional(),
  /** Digest of the programs and their arguments: a harness with other ones makes a new cluster. */
  programs: z.string().optional(),
  /** Set once the whole cluster has been seen working. */
  complete: z.boolean(),
});
export type State = z.infer<typeof State>;

/** The recorded state of an instance; undefined if there is none or it cannot be read. */
export async function readState(dir: string): Promise<State | undefined> {
  const file = stateFile(dir);
  if (!existsSync(file)) return undefined;
  try {
    return State.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Replaces the state in one step, so that a crash leaves the old or the new one. */
export async function writeState(dir: string, state: State): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const draft = `${stateFile(dir)}.partial`;
  await writeFile(draft, `${JSON.stringify(state, null, 2)}\n`, { flush: true });
  await rename(draft, stateFile(dir));
}

function stateFile(dir: string): string {
  return join(dir, 'state.json');
}

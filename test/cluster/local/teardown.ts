import { rm } from 'node:fs/promises';
import { waitFor } from '../../support/wait-for.ts';
import { isAlive, type ProcessIdentity } from '../process-identity.ts';
import { cgroupFolders, cgroupOf, removeCgroup } from './cgroups.ts';
import { findInit, namespaceOf, processesIn } from './namespaces.ts';
import { hasLink } from './network.ts';
import { readState, type State } from './state-file.ts';

const GONE_TIMEOUT_MS = 60_000;

/**
 * Ends an instance in whatever state it is and removes its folder; does nothing if there is none.
 * Killing `init` makes the kernel end every process inside, and with the last one its mounts and networks.
 */
export async function tearDown(name: string, dir: string): Promise<void> {
  const state = await readState(dir);
  const init = state?.init ?? findInit(dir);
  if (init !== undefined) await endProcesses(init, state?.keeper);
  await removeCgroupWhenEmpty(cgroupOf(name));
  if (state !== undefined) await waitForLink(state);
  await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

async function endProcesses(init: ProcessIdentity, keeper: ProcessIdentity | undefined): Promise<void> {
  const namespace = isAlive(init) ? namespaceOf(init.pid) : undefined;
  const keeperIsOver = (): boolean => keeper === undefined || !isAlive(keeper);
  kill(init);
  // unshare ends by itself when it has reaped init; killed together, init would stay as a zombie of process 1.
  await waitFor(keeperIsOver, { what: 'unshare to end', timeoutMs: 2_000 }).catch(() => undefined);
  if (keeper !== undefined) kill(keeper);
  const allOver = (): boolean =>
    !isAlive(init) && keeperIsOver() && (namespace === undefined || processesIn(namespace).length === 0);
  await waitFor(allOver, { what: 'the processes of the cluster to end', timeoutMs: GONE_TIMEOUT_MS });
}

/** Kills exactly the recorded process: a later one with the same number has another start. */
function kill(process_: ProcessIdentity): void {
  if (!isAlive(process_)) return;
  try {
    process.kill(process_.pid, 'SIGKILL');
  } catch {
    // It ended between the look and the signal.
  }
}

async function removeCgroupWhenEmpty(path: string): Promise<void> {
  const removed = async (): Promise<boolean> => {
    await removeCgroup(path);
    return cgroupFolders(path).length === 0;
  };
  await waitFor(removed, { what: `the cgroups ${path} to be empty`, timeoutMs: GONE_TIMEOUT_MS });
}

/** The kernel takes a network namespace apart some time after its last process. */
async function waitForLink(state: State): Promise<void> {
  const isGone = (): boolean => !hasLink(state);
  await waitFor(isGone, { what: `the interface of slot ${state.slot} to go`, timeoutMs: GONE_TIMEOUT_MS });
}

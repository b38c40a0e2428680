import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { waitFor } from '../../support/wait-for.ts';
import { identify, type ProcessIdentity, startTicksOf } from '../process-identity.ts';
import { runCommand } from '../run-command.ts';
import { childEnvironment } from '../settings.ts';
import { systemProgram } from './packages.ts';

export interface Started {
  init: ProcessIdentity;
  keeper: ProcessIdentity;
  /** Lets init live on after us; until then it ends with us. Call it once the identities are on disk. */
  release: () => Promise<void>;
}

/** Starts the first process of new process, mount, network and IPC namespaces. */
export async function startNamespaces(pauseBinary: string): Promise<Started> {
  const flags = ['--mount', '--pid', '--net', '--ipc', '--fork', '--mount-proc', '--propagation', 'private'];
  const child = spawn(systemProgram('unshare'), [...flags, '--', pauseBinary, 'wait'], {
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: childEnvironment(),
    cwd: '/',
  });
  const refused = refusal(child);
  await Promise.race([once(child, 'spawn'), refused]);
  const keeper = identify(child.pid ?? 0);
  const init = await Promise.race([refused, firstChild(child.pid ?? 0, pauseBinary)]);
  if (keeper === undefined) return refused;
  const release = async (): Promise<void> => {
    await new Promise<void>((resolve, reject) => {
      child.stdin.once('error', reject);
      child.stdin.end('.', () => resolve());
    });
    child.stderr.destroy();
    child.unref();
  };
  return { init, keeper, release };
}

/** Rejects with unshare's own words when it ends before its time, as it does where it lacks a right. */
async function refusal(child: ChildProcessByStdio<Writable, null, Readable>): Promise<never> {
  const words: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => words.push(chunk.toString('utf8')));
  const ending: unknown[] = await once(child, 'close');
  throw new Error(
    `unshare ended with ${String(ending[0])}: ${words.join('').trim()} (a local cluster needs CAP_SYS_ADMIN)`,
  );
}

function firstChild(parent: number, program: string): Promise<ProcessIdentity> {
  return waitFor(() => childOf(parent, program), { what: 'the first process of the node' });
}

/** The child that already runs `program`: before that, unshare has not mounted its /proc yet. */
function childOf(parent: number, program: string): ProcessIdentity | undefined {
  for (const pid of allProcesses()) {
    if (parentOf(pid) === parent && commandLine(pid)[0] === program) return identify(pid);
  }
  return undefined;
}

/** The command that runs another one inside the namespaces of `init`. */
export function inside(init: ProcessIdentity, command: readonly string[]): [string, string[]] {
  const target = ['--target', String(init.pid), '--mount', '--pid', '--net', '--ipc'];
  return ['nsenter', [...target, '--', ...command]];
}

/** Runs a program inside the node to its end; gives its standard output. */
export function runInside(init: ProcessIdentity, command: readonly string[], timeoutMs = 60_000): Promise<string> {
  const [program, args] = inside(init, command);
  return runCommand(program, args, { timeoutMs });
}

export interface NodeProcess extends ProcessIdentity {
  command: readonly string[];
}

/** Every process in the process namespace with this inode (`pid:[…]`), by its number on the outside. */
export function processesIn(namespace: string): NodeProcess[] {
  const found: NodeProcess[] = [];
  for (const pid of allProcesses()) {
    if (namespaceOf(pid) !== namespace) continue;
    const startTicks = startTicksOf(pid);
    if (startTicks !== undefined) found.push({ pid, startTicks, command: commandLine(pid) });
  }
  return found;
}

/**
 * The first process of the namespace in which a program runs that was given a path below `dir`: how a cluster is found
 * whose folder somebody has removed. Undefined if there is none; our own namespace is never meant.
 */
export function findInit(dir: string): ProcessIdentity | undefined {
  const own = namespaceOf(process.pid);
  for (const pid of allProcesses()) {
    const namespace = namespaceOf(pid);
    if (namespace === undefined || namespace === own) continue;
    if (!commandLine(pid).some((word) => word.includes(`${dir}/`))) continue;
    const init = processesIn(namespace).find((process) => isFirst(process.pid));
    if (init !== undefined) return { pid: init.pid, startTicks: init.startTicks };
  }
  return undefined;
}

/** Whether a process has the number 1 in its own namespace: the last number of the NSpid line. */
function isFirst(pid: number): boolean {
  try {
    return /^NSpid:.*\s1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The process namespace of a process, `pid:[4026532…]`; undefined if it is gone. */
export function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

function allProcesses(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid));
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type WaitOptions, waitFor } from '../../support/wait-for.ts';
import type { ProcessIdentity } from '../process-identity.ts';
import { runCommand } from '../run-command.ts';
import { inside, namespaceOf, type NodeProcess, processesIn } from './namespaces.ts';

/** One long-running program of the node. */
export interface Component {
  name: string;
  /** Absolute path, which also tells a running one. */
  command: string;
  args: readonly string[];
}

/** The node as far as starting programs in it goes. */
export interface NodeContext {
  init: ProcessIdentity;
  logDir: string;
}

/** Rarer garbage collection: a start of kube-apiserver takes 3.3 s of processor time instead of 4.2 s, and 130 MB more. */
const GO = { GOGC: '300' };

/** Starts a component unless it already runs inside the node; its output is appended to `<logDir>/<name>.log`. */
export async function ensureRunning(node: NodeContext, component: Component): Promise<void> {
  if (findRunning(node.init, component.command) !== undefined) return;
  const script = 'log=$1; shift; exec "$@" >>"$log" 2>&1 </dev/null';
  const shell = ['sh', '-c', script, 'sh', logFile(node, component.name), component.command, ...component.args];
  const [program, args] = inside(node.init, ['setsid', '--fork', ...shell]);
  await runCommand(program, args, { timeoutMs: 10_000, env: GO });
}

/** The running process of a program inside the node, or undefined. */
export function findRunning(init: ProcessIdentity, command: string): NodeProcess | undefined {
  const namespace = namespaceOf(init.pid);
  if (namespace === undefined) return undefined;
  return processesIn(namespace).find((process) => process.command[0] === command);
}

/** Waits for a component's own sign of health; the failure shows the end of its log and where the rest is. */
export async function waitForComponent(
  node: NodeContext,
  name: string,
  check: () => Promise<boolean>,
  options: Partial<WaitOptions> = {},
): Promise<void> {
  try {
    await waitFor(check, { what: `${name} to work`, timeoutMs: 60_000, everyMs: 100, ...options });
  } catch (cause) {
    const file = logFile(node, name);
    const log = await readFile(file, 'utf8').catch(() => '(no log)');
    const end = log.trim().split('\n').slice(-8).join('\n');
    throw new Error(`${name} does not work. Log: ${file}\n${end}`, { cause });
  }
}

function logFile(node: NodeContext, name: string): string {
  return join(node.logDir, `${name}.log`);
}

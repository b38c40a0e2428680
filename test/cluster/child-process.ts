import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { findProgram } from './local/packages.ts';
import { childEnvironment } from './settings.ts';

/** A server started as our own child, which ends when we do. */
export interface ServerProcess {
  /** SIGTERM, and SIGKILL after 10 s; waits for its end. */
  stop: () => Promise<void>;
  /** SIGKILL; waits for its end. */
  kill: () => Promise<void>;
  isRunning: () => boolean;
  pid: number;
}

const STOP_TIMEOUT_MS = 10_000;

/**
 * The program and words that start `command` so that it ends with us, even if we are killed; where Linux can do it. Its process id
 * is that of `command`.
 */
export function endingWithUs(command: string, args: readonly string[]): [string, string[]] {
  const setpriv = findProgram('setpriv');
  if (setpriv === undefined) return [command, [...args]];
  return [setpriv, ['--pdeathsig', 'KILL', '--', command, ...args]];
}

/** Starts a server with its output in a file. It ends with us even if we are killed. */
export async function startServer(
  command: string,
  args: readonly string[],
  logFile: string,
  environment: Record<string, string> = {},
): Promise<ServerProcess> {
  const log = openSync(logFile, 'a');
  const child = spawn(...endingWithUs(command, args), {
    stdio: ['ignore', log, log],
    env: childEnvironment(environment),
  });
  await once(child, 'spawn').finally(() => closeSync(log));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} has no process id`);
  return {
    pid,
    stop: () => end(child, 'SIGTERM'),
    kill: () => end(child, 'SIGKILL'),
    isRunning: () => child.exitCode === null && child.signalCode === null,
  };
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}

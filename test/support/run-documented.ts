import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'vitest';
import { tryCommand } from '../cluster/run-command.ts';
import { childEnvironment } from '../cluster/settings.ts';
import type { RunHere } from './command-ledger.ts';
import { commandsOn } from './command-ledger.ts';
import { waitFor } from './wait-for.ts';

export interface Reader {
  /** Where the reader stands. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** More to fill in, beside what the ledger says. */
  readonly with?: Readonly<Record<string, string>>;
  /** Called before a command is run. */
  readonly before?: (command: string) => Promise<void>;
}

type Running = () => Promise<void>;

/** Runs the commands of a page in a shell, in its order, as its reader does; each has to succeed and to write what it should. */
export async function runPage(place: 'stage' | 'cluster', document: string, reader: Reader): Promise<void> {
  const running: Running[] = [];
  try {
    for (const { command, run } of commandsOn(place, document)) {
      await reader.before?.(command);
      const script = fill(command, { ...run.with, ...reader.with });
      if (run.goesOn === true) running.push(begin(script, reader));
      else if (running.length > 0) await waitFor(() => check(script, run, reader), { what: command });
      else await check(script, run, reader);
    }
  } finally {
    await Promise.all(running.map((end) => end()));
  }
}

function fill(command: string, texts: Readonly<Record<string, string>>): string {
  // Longest first: NAME is a part of NAMESPACE.
  const ordered = Object.entries(texts).sort(([a], [b]) => b.length - a.length);
  return ordered.reduce((script, [text, value]) => script.replaceAll(text, value), command);
}

async function check(script: string, run: RunHere, { cwd, env }: Reader): Promise<boolean> {
  const options = { cwd, env: { ...env }, timeoutMs: 300_000 };
  const { code, stdout, stderr } = await tryCommand('bash', ['-c', `set -euo pipefail\n${script}`], options);
  expect({ script, code, stderr: code === 0 ? '' : stderr }).toEqual({ script, code: 0, stderr: '' });
  if (run.writes !== undefined) expect(stdout, script).toMatch(run.writes);
  return true;
}

/** Starts a command that goes on; gives what ends it. */
function begin(script: string, { cwd, env }: Reader): Running {
  const child = spawn('bash', ['-c', `exec ${script}`], { cwd, env: childEnvironment(env), stdio: 'ignore' });
  const ended = once(child, 'exit');
  return async () => {
    child.kill();
    await ended;
  };
}

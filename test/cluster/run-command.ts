import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { childEnvironment } from './settings.ts';

export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Longest run, in ms; the program is then killed. */
  timeoutMs?: number;
  /** Text for its standard input. */
  input?: string;
  /** All output is also written to this file. */
  logFile?: string;
}

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

const MAX_OUTPUT = 32 * 1024 * 1024;

/** Runs a program to its end and gives its exit code and output; throws only if it cannot be started or takes too long. */
export async function tryCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: childEnvironment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
  });
  const log = options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: 'a' });
  const stdout = collect(child.stdout, log);
  const stderr = collect(child.stderr, log);
  child.stdin.on('error', () => undefined); // a program that exits before reading its input is judged by its exit code
  child.stdin.end(options.input ?? '');
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, exitSignal) => resolve({ code: exitCode, signal: exitSignal }));
  }).finally(() => log?.end());
  if (code === null) {
    throw new CommandError(command, args, `ended by ${signal ?? 'a signal'}\n${tail(stderr())}`, options.logFile);
  }
  return { code, stdout: stdout(), stderr: stderr() };
}

/** Runs a program and gives its standard output; throws CommandError with the last lines it wrote unless it exits with 0. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await tryCommand(command, args, options);
  if (result.code === 0) return result.stdout;
  const words = tail(result.stderr) || tail(result.stdout);
  throw new CommandError(command, args, `exit code ${result.code}\n${words}`, options.logFile);
}

/** Whether a program can be started at all; it is asked for its version. */
export async function canRun(command: string, args: readonly string[] = ['--version']): Promise<boolean> {
  try {
    return (await tryCommand(command, args, { timeoutMs: 10_000 })).code === 0;
  } catch {
    return false;
  }
}

export class CommandError extends Error {
  constructor(command: string, args: readonly string[], outcome: string, logFile?: string) {
    const where = logFile === undefined ? '' : `\nlog: ${logFile}`;
    super(`${[command, ...args].join(' ').slice(0, 300)}: ${outcome}${where}`);
    this.name = 'CommandError';
  }
}

function collect(stream: NodeJS.ReadableStream, log: NodeJS.WritableStream | undefined): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    log?.write(chunk);
    size += chunk.length;
    if (size <= MAX_OUTPUT) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function tail(text: string): string {
  return text.trim().split('\n').slice(-12).join('\n');
}

import type { ExitCode } from '../contract/exit-codes.ts';

/** One sub-command of the program. */
export interface Command {
  /** The whole text of `--help`. */
  readonly help: string;
  /** Runs to the end; a wrong command line is thrown as UsageError. */
  run(args: string[]): Promise<ExitCode>;
}

/** A command line that makes no sense: ends with exit code 2 and the help. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** For people: one line on standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** For people: one line on standard error. */
export function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}

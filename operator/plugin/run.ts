import { ZodError } from 'zod';
import { EXIT_CODES } from '../../homeserver/contract/exit-codes.ts';
import { KubeError } from '../runtime/kube-error.ts';
import type { PluginCommand } from './command.ts';
import type { Terminal } from './terminal.ts';
import { PluginError, UsageError } from './terminal.ts';
import { printable } from './text/paint.ts';

/** Each is read only when it is asked for, so that a quick look starts quickly. */
const COMMANDS: Readonly<Record<string, () => Promise<PluginCommand>>> = {
  status: async () => (await import('./commands/status.ts')).status,
  plan: async () => (await import('./commands/plan.ts')).plan,
  approve: async () => (await import('./commands/approve.ts')).approve,
  'rotate-key': async () => (await import('./commands/rotate-key.ts')).rotateKey,
  backup: async () => (await import('./commands/backup.ts')).backup,
  restore: async () => (await import('./commands/restore.ts')).restore,
  verify: async () => (await import('./commands/verify.ts')).verify,
  'create-user': async () => (await import('./commands/create-user.ts')).createUser,
  logs: async () => (await import('./commands/logs.ts')).logs,
};

const HELP = `kubectl matrix COMMAND: look after MatrixHomeserver resources.

  status [NAME]          how homeservers are, and what to do next
  plan NAME              the upgrade or rollback that waits or runs
  approve NAME           the change of spec that approves it
  rotate-key NAME        the change of spec that a key rotation needs next
  backup NAME            make a backup now
  restore NAME           the manifest of a new resource that begins from a backup
  verify NAME            say whether the database is whole
  create-user NAME USER  make an account
  logs NAME              the logs of all replicas in one

What changes spec is printed, to be committed, and written to the cluster only with --apply.
kubectl matrix COMMAND --help says more.
`;

/** Runs one command line (without the program); resolves with the exit code, never rejects. */
export async function runPlugin(args: readonly string[], at: Terminal): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || asksForHelp([name])) {
    at.write(HELP);
    return name === undefined ? EXIT_CODES.badUsage : EXIT_CODES.done;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    at.tell(`there is no command ${printable(name)}\n\n${HELP}`);
    return EXIT_CODES.badUsage;
  }
  const command = await load();
  if (asksForHelp(rest)) {
    at.write(command.help);
    return EXIT_CODES.done;
  }
  return runSafely(command, rest, at);
}

function asksForHelp(words: readonly string[]): boolean {
  return ['--help', '-h', 'help'].some((word) => words.includes(word));
}

async function runSafely(command: PluginCommand, rest: string[], at: Terminal): Promise<number> {
  try {
    return await command.run(rest, at);
  } catch (error) {
    if (!isBadUsage(error)) return fail(error, at);
    at.tell(`${error.message}\n\n${command.help}`);
    return EXIT_CODES.badUsage;
  }
}

function fail(error: unknown, at: Terminal): number {
  at.tell(`kubectl-matrix: ${printable(explain(error))}`);
  return EXIT_CODES.failed;
}

/** In words for a person; what the API server refuses is said with what it said. */
function explain(error: unknown): string {
  if (error instanceof PluginError) return error.message;
  if (error instanceof KubeError && error.status === 403) {
    return `${error.message}\nThe rights that each command needs are listed in docs/kubectl-plugin.md.`;
  }
  if (error instanceof ZodError) return `the API server gave something that is not understood: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

function isBadUsage(error: unknown): error is Error {
  if (error instanceof UsageError) return true;
  return error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

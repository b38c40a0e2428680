import { EXIT_CODES } from '../contract/exit-codes.ts';
import type { ExitCode } from '../contract/exit-codes.ts';
import { complain, say, UsageError } from './command.ts';
import type { Command } from './command.ts';

/** Loaded when asked for: `check-config` need not pay for an HTTP server. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serve,
  migrate: async () => (await import('./migrate.ts')).migrate,
  'check-config': async () => (await import('./check-config.ts')).checkConfig,
  keys: async () => (await import('./keys.ts')).keys,
  backup: async () => (await import('./backup.ts')).backup,
  restore: async () => (await import('./restore.ts')).restore,
  drill: async () => (await import('./drill.ts')).drill,
  verify: async () => (await import('./verify.ts')).verify,
  admin: async () => (await import('./admin.ts')).admin,
};

const HELP = `homeserver COMMAND: a Matrix homeserver on PostgreSQL.

  serve          answer clients and other servers
  migrate        bring the database to this program's schema
  check-config   say whether the configuration can be used
  keys           make or show signing keys
  backup         write the database to a store
  restore        fill an empty database from a backup
  drill          prove that the newest backup can be restored and serves
  verify         say whether the database is whole
  admin          make users and registration tokens

homeserver COMMAND --help says more.
`;

/** Runs one command line (without node and the program); resolves with the exit code, never rejects. */
export async function runCommand(args: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help') {
    process.stdout.write(HELP);
    return name === undefined ? EXIT_CODES.badUsage : EXIT_CODES.done;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    complain(`there is no command ${name}\n\n${HELP}`);
    return EXIT_CODES.badUsage;
  }
  const command = await load();
  if (rest.includes('--help')) {
    say(command.help.trimEnd());
    return EXIT_CODES.done;
  }
  return runSafely(command, rest);
}

async function runSafely(command: Command, args: string[]): Promise<ExitCode> {
  try {
    return await command.run(args);
  } catch (error) {
    if (error instanceof UsageError || isParseArgsError(error)) {
      complain(`${error.message}\n\n${command.help}`);
      return EXIT_CODES.badUsage;
    }
    const { exitCodeOf, messageOf } = await import('./exit-code-of.ts');
    complain(messageOf(error));
    return exitCodeOf(error);
  }
}

function isParseArgsError(error: unknown): error is Error {
  return error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

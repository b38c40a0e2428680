import { randomBytes } from 'node:crypto';
import { text as readText } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { registerAccount } from '../accounts/register.ts';
import { newUserId } from '../accounts/user-ids.ts';
import { defaultConfigFile, loadConfig } from '../config/load.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import type { ExitCode } from '../contract/exit-codes.ts';
import { createLogger } from '../log.ts';
import type { Database } from '../storage/database.ts';
import { Caches } from '../caches.ts';
import { createNames } from '../storage/names.ts';
import { openPool } from '../storage/pool.ts';
import { checkCatalogue, checkSchema } from '../storage/schema-check.ts';
import { insertRegistrationToken } from '../storage/tables/registration_tokens.ts';
import { selectSchemaState } from '../storage/tables/schema_state.ts';
import { complain, say, UsageError } from './command.ts';
import type { Command } from './command.ts';
import { sendServerNotice } from './send-notice.ts';

const TOKEN = /^[A-Za-z0-9._~-]{1,64}$/;

/** What an administrator does from the command line, on the database itself. */
export const admin: Command = {
  help: `homeserver admin ACTION: work on the database of a server, whether it serves or not.

  create-user NAME             make an account; its password comes from standard input, one line
      --admin                  open the admin endpoints to it
  registration-token [TOKEN]   allow registrations with this token, or with a new one that is printed
      --uses N                 at most N accounts [any number]

  server-notice USER           send @name:server a notice of the server; its text comes from standard input, to its end

  --config FILE   the configuration [HOMESERVER_CONFIG, else /etc/homeserver/config/homeserver.yaml]
  --help          this text
`,
  run: async (args) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { config: { type: 'string' }, admin: { type: 'boolean' }, uses: { type: 'string' } },
    });
    const [action, subject] = positionals;
    const config = await loadConfig(values.config ?? defaultConfigFile());
    if (action === 'create-user' && subject !== undefined) {
      return withDatabase(config, (db) => createUser(db, config, { name: subject, admin: values.admin ?? false }));
    }
    if (action === 'registration-token') {
      return withDatabase(config, (db) => createToken(db, subject, values.uses));
    }
    if (action === 'server-notice' && subject !== undefined) {
      return sendServerNotice(config, subject, (await readText(process.stdin)).trimEnd());
    }
    throw new UsageError('say create-user NAME, registration-token or server-notice USER');
  },
};

async function createUser(
  db: Database,
  config: HomeserverConfig,
  user: { name: string; admin: boolean },
): Promise<ExitCode> {
  const ctx = { config, store: { db, names: createNames(db, new Caches()) } };
  const userId = newUserId(ctx, user.name);
  if (process.stdin.isTTY) complain(`password for ${userId} (it will be shown; end with Enter):`);
  const password = await readLine(process.stdin.setEncoding('utf8'));
  await registerAccount(ctx, { userId, password, admin: user.admin });
  say(userId);
  return EXIT_CODES.done;
}

/** Far more than any password that is allowed. */
const MAX_LINE = 16_384;

/** The first line, without its end; the rest is left unread, and whoever gives it need not close it. */
async function readLine(input: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of input) {
    text += String(chunk);
    if (text.includes('\n') || text.length > MAX_LINE) break;
  }
  return (text.split('\n')[0] ?? '').replace(/\r$/, '');
}

async function createToken(db: Database, wanted: string | undefined, uses: string | undefined): Promise<ExitCode> {
  const token = wanted ?? randomBytes(24).toString('base64url');
  if (!TOKEN.test(token)) throw new UsageError('TOKEN: 1 to 64 of A-Z a-z 0-9 . _ ~ - are allowed');
  const usesAllowed = uses === undefined ? undefined : Number(uses);
  if (usesAllowed !== undefined && !(Number.isInteger(usesAllowed) && usesAllowed > 0)) {
    throw new UsageError('--uses: a whole number above 0 is allowed');
  }
  const made = await insertRegistrationToken(db, { token, usesAllowed, createdAt: Date.now(), expiresAt: undefined });
  if (!made) complain('this token exists already');
  else say(token);
  return made ? EXIT_CODES.done : EXIT_CODES.failed;
}

async function withDatabase(config: HomeserverConfig, work: (db: Database) => Promise<ExitCode>): Promise<ExitCode> {
  const connection = { database: config.database, applicationName: 'homeserver-admin' };
  const log = createLogger({ level: config.logLevel, destination: process.stderr });
  const db = openPool({ connection, size: 2, log });
  try {
    await checkCatalogue(db);
    checkSchema(await selectSchemaState(db), config.serverName);
    return await work(db);
  } finally {
    await db.close();
  }
}

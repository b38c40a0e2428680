import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { generateKeyring } from '../config/generate-key.ts';
import { KeyringError, parseKeyring } from '../config/parse-keyring.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import type { ExitCode } from '../contract/exit-codes.ts';
import { KeyringFile } from '../contract/keyring-file.ts';
import { MOUNTS } from '../contract/layout.ts';
import { ServerNameField } from '../contract/server-name.ts';
import { say, UsageError } from './command.ts';
import type { Command } from './command.ts';

const DAY_SECONDS = 86_400;

/** Makes and shows keyring files; private halves are never printed. */
export const keys: Command = {
  help: `homeserver keys generate|inspect: signing keys of a server that no operator looks after.

  generate --server-name NAME --out FILE   make a keyring of one new key; a file that exists is never written over
           --validity-seconds N            how far ahead other servers may trust it [86400]
  inspect [FILE]                           check a keyring and show its public halves [${MOUNTS.keyringFile}]
  --help                                   this text

Ends with 0, 2 wrong command line, 13 keyring unreadable.
`,
  run: async (args) => {
    const [action, ...rest] = args;
    if (action === 'generate') return generate(rest);
    if (action === 'inspect') return inspect(rest);
    throw new UsageError('say generate or inspect');
  },
};

async function generate(args: string[]): Promise<ExitCode> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ args, options: { 'server-name': text, out: text, 'validity-seconds': text } });
  const serverName = ServerNameField.safeParse(values['server-name']);
  if (!serverName.success) throw new UsageError(`--server-name: ${serverName.error.issues[0]?.message ?? 'not valid'}`);
  const validity = KeyringFile.shape.validitySeconds.safeParse(Number(values['validity-seconds'] ?? DAY_SECONDS));
  if (!validity.success) throw new UsageError('--validity-seconds: 7200 to 604800 is allowed');
  if (values.out === undefined) throw new UsageError('--out FILE is required');
  const keyring = generateKeyring(serverName.data, validity.data);
  await writeFile(values.out, `${JSON.stringify(keyring, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' });
  say(`${values.out}: ${keyring.keys.map((key) => key.keyId).join(', ')}`);
  return EXIT_CODES.done;
}

async function inspect(args: string[]): Promise<ExitCode> {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
  const file = positionals[0] ?? MOUNTS.keyringFile;
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new KeyringError(file, error instanceof Error ? error.message : 'not readable');
  });
  const serverName = serverNameIn(text, file);
  const keyring = parseKeyring(text, file, serverName);
  say(`server name ${serverName}, generation ${keyring.generation}, valid ${keyring.validitySeconds} s ahead`);
  for (const key of keyring.verify) {
    const use = key.keyId === keyring.active.keyId ? 'active' : 'published';
    say(`${key.keyId}  ${key.publicKeyBase64}  ${use}`);
  }
  for (const key of keyring.old) {
    say(`${key.keyId}  ${key.publicKeyBase64}  old, until ${new Date(key.expiredTs).toISOString()}`);
  }
  return EXIT_CODES.done;
}

/** The file says for which server it is; whether that is the right one is for `serve` to see. */
function serverNameIn(text: string, file: string): string {
  try {
    return KeyringFile.pick({ serverName: true }).loose().parse(JSON.parse(text)).serverName;
  } catch {
    throw new KeyringError(file, 'it is not a keyring');
  }
}

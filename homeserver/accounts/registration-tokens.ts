import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { selectTokenIsValid } from '../storage/tables/registration_tokens.ts';
import type { AccountsContext } from './context.ts';

/** Where a registration token was found: the file's may be used without limit, the database's are counted. */
export type TokenSource = 'file' | 'database';

/** Undefined when the token is not valid now. The file is read each time, so it can be changed while we serve. */
export async function findRegistrationToken(ctx: AccountsContext, token: string): Promise<TokenSource | undefined> {
  if (await isInFile(ctx.config.registration.tokensFile, token)) return 'file';
  return (await selectTokenIsValid(ctx.store.db, token, Date.now())) ? 'database' : undefined;
}

async function isInFile(path: string | undefined, token: string): Promise<boolean> {
  if (path === undefined) return false;
  const lines = (await readFile(path, 'utf8')).split('\n').map((line) => line.trim());
  const wanted = digest(token);
  // Every line is compared, by digest: how long it takes says nothing about the tokens.
  return lines.filter((line) => line !== '' && timingSafeEqual(digest(line), wanted)).length > 0;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

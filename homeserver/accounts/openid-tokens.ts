import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MatrixError } from '../errors.ts';
import type { UserId } from '../room/identifiers.ts';
import { parseUserId } from '../room/identifiers.ts';
import { selectAccount } from '../storage/tables/accounts.ts';
import type { AccountsContext } from './context.ts';
import { equalText, seal } from './sealed.ts';

const PURPOSE = 'openid token';
const LIFETIME_SECONDS = 3600;

type Context = Pick<AccountsContext, 'config' | 'store' | 'log'>;

export interface OpenIdToken {
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
}

/**
 * A token with which a user shows others who they are, and that opens nothing here. Any replica recognises it: nothing is stored.
 * Errors: M_UNRECOGNIZED where there is no token-key to sign with.
 */
export async function newOpenIdToken(ctx: Context, userId: UserId, nowMs: number): Promise<OpenIdToken> {
  const ends = (nowMs + LIFETIME_SECONDS * 1000).toString(36);
  const random = randomBytes(8).toString('base64url');
  const body = `${ends}.${random}.${Buffer.from(userId).toString('base64url')}`;
  return { token: `${body}.${seal(await readKey(ctx), PURPOSE, body)}`, expiresIn: LIFETIME_SECONDS };
}

/** Whose token it is. Errors: M_UNKNOWN_TOKEN, also when it has ended or the account is no more; M_UNRECOGNIZED. */
export async function openIdUser(ctx: Context, token: string, nowMs: number): Promise<UserId> {
  const [ends = '', random = '', user = '', mark = ''] = token.split('.');
  const isOurs = equalText(mark, seal(await readKey(ctx), PURPOSE, `${ends}.${random}.${user}`));
  const userId = parseUserId(Buffer.from(user, 'base64url').toString('utf8'));
  if (!isOurs || Number.parseInt(ends, 36) <= nowMs || userId === undefined) throw new MatrixError('M_UNKNOWN_TOKEN');
  const account = await selectAccount(ctx.store.db, userId);
  if (account === undefined || account.deactivated_at !== null) throw new MatrixError('M_UNKNOWN_TOKEN');
  return userId;
}

/** Read each time: it can be replaced while we serve. */
async function readKey({ config, log }: Context): Promise<string> {
  const file = join(config.appDirectory, 'token-key');
  const key = await readFile(file, 'utf8').catch((error: unknown) => {
    log.warn({ err: error }, 'OpenID tokens need the file token-key in appDirectory');
    return '';
  });
  if (key.trim() === '') throw new MatrixError('M_UNRECOGNIZED', 'This server gives out no OpenID tokens.');
  return key.trim();
}

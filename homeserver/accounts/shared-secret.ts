import { createHmac, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MatrixError } from '../errors.ts';
import type { AccountsContext } from './context.ts';
import { equalText, seal } from './sealed.ts';

/** How long a nonce can be used, ms. */
const NONCE_MS = 60_000;
const NONCE = 'registration nonce';

/** What is asked for with the secret. */
export interface SecretRegistration {
  readonly nonce: string;
  readonly username: string;
  readonly password: string;
  readonly admin: boolean;
  /** Hexadecimal HMAC-SHA1 of nonce, name, password and `admin` or `notadmin`, NUL between them. */
  readonly mac: string;
}

/**
 * A nonce that any replica recognises: nothing is stored. It may be used again until it ends, for what it was used for already: the
 * mac covers it together with everything else. Errors: M_UNRECOGNIZED where the secret opens nothing.
 */
export async function newNonce(ctx: AccountsContext): Promise<string> {
  const secret = await readSecret(ctx);
  const body = `${(Date.now() + NONCE_MS).toString(36)}.${randomBytes(16).toString('hex')}`;
  return `${body}.${seal(secret, NONCE, body)}`;
}

/** Whoever sent this has the secret. Errors: M_FORBIDDEN, M_UNRECOGNIZED where the secret opens nothing. */
export async function requireSecret(ctx: AccountsContext, asked: SecretRegistration): Promise<void> {
  const secret = await readSecret(ctx);
  const { nonce, username, password, admin, mac } = asked;
  const parts = [nonce, username, password, admin ? 'admin' : 'notadmin'];
  const wanted = createHmac('sha1', secret).update(parts.join('\0')).digest('hex');
  if (isFresh(secret, nonce) && equalText(mac.toLowerCase(), wanted)) return;
  throw new MatrixError('M_FORBIDDEN', 'The mac does not fit, or the nonce is too old: ask for a new one.');
}

/** Read each time: it can be replaced while we serve. */
async function readSecret(ctx: AccountsContext): Promise<string> {
  if (ctx.config.registration.sharedSecret === 'Disabled') throw new MatrixError('M_UNRECOGNIZED');
  const secret = (await readFile(join(ctx.config.appDirectory, 'registration-secret'), 'utf8')).trim();
  if (secret === '') throw new Error('the file registration-secret is empty');
  return secret;
}

function isFresh(secret: string, nonce: string): boolean {
  const [ends = '', random = '', mark = ''] = nonce.split('.');
  return equalText(mark, seal(secret, NONCE, `${ends}.${random}`)) && Number.parseInt(ends, 36) > Date.now();
}

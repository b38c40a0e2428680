import type { AccountsContext } from './context.ts';
import { MatrixError } from '../errors.ts';
import { isValidNewLocalpart, parseUserId } from '../room/identifiers.ts';
import type { UserId } from '../room/identifiers.ts';

/**
 * The id of a new account. Capitals become small letters; anything else outside the grammar is refused.
 * Errors: M_INVALID_USERNAME. Spec: appendices, "User Identifiers" (v1.19).
 */
export function newUserId(ctx: Pick<AccountsContext, 'config'>, wanted: string): UserId {
  const localpart = lowerCase(wanted);
  if (!isValidNewLocalpart(localpart)) throw new MatrixError('M_INVALID_USERNAME');
  const userId = parseUserId(`@${localpart}:${ctx.config.serverName}`);
  if (userId === undefined) {
    throw new MatrixError('M_INVALID_USERNAME', 'A user id with this name would be longer than 255 bytes.');
  }
  return userId;
}

/** The ids that a login name may mean, best first: exactly as written, then with small letters. Empty when it is not ours. */
export function candidateUserIds(ctx: Pick<AccountsContext, 'config'>, name: string): UserId[] {
  const suffix = `:${ctx.config.serverName}`;
  const full = name.startsWith('@') ? name : `@${name}${suffix}`;
  if (!full.endsWith(suffix)) return [];
  const localpart = full.slice(1, -suffix.length);
  const candidates = [...new Set([localpart, lowerCase(localpart)])];
  return candidates.flatMap((candidate) => parseUserId(`@${candidate}${suffix}`) ?? []);
}

/** Only A-Z: the Turkish dotless i and the like are no business of a user id. */
function lowerCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

import { MatrixError } from '../errors.ts';
import type { UserId } from '../room/identifiers.ts';
import { parseUserId } from '../room/identifiers.ts';
import { selectAccount } from '../storage/tables/accounts.ts';
import type { AccountRow } from '../storage/tables/accounts.ts';
import type { AccountsContext } from './context.ts';
import { openSession } from './device-sessions.ts';
import type { DeviceRequest, DeviceSession } from './device-sessions.ts';
import { verifyPassword } from './passwords.ts';
import { candidateUserIds } from './user-ids.ts';

/** An account whose password has been shown. */
interface ProvenUser {
  userId: UserId;
  userNo: number;
}

/**
 * Checks a password; takes as long for a user that does not exist. Failures count for the account that is tried, so guessing is
 * slow from many addresses too.
 * Errors: M_FORBIDDEN (wrong name or password, which is not told apart), M_USER_DEACTIVATED (right password only),
 * M_LIMIT_EXCEEDED.
 */
export async function provePassword(ctx: AccountsContext, name: string, password: string): Promise<ProvenUser> {
  const tried = candidateUserIds(ctx, name).at(-1) ?? 'not ours';
  ctx.limits.check('loginPerAccount', tried);
  try {
    return await checkPassword(ctx, name, password);
  } catch (error) {
    if (error instanceof MatrixError && error.code === 'M_FORBIDDEN') ctx.limits.take('loginPerAccount', tried);
    throw error;
  }
}

async function checkPassword(ctx: AccountsContext, name: string, password: string): Promise<ProvenUser> {
  const account = await findAccount(ctx, name);
  const right = await verifyPassword(password, account?.password_hash);
  const userId = account && parseUserId(account.user_id);
  if (!right || account === undefined || userId === undefined) {
    throw new MatrixError('M_FORBIDDEN', 'The user name or the password is wrong.');
  }
  if (account.deactivated_at !== null) throw new MatrixError('M_USER_DEACTIVATED');
  return { userId, userNo: account.user_no };
}

async function findAccount(ctx: AccountsContext, name: string): Promise<AccountRow | undefined> {
  for (const userId of candidateUserIds(ctx, name)) {
    const account = await selectAccount(ctx.store.db, userId);
    if (account !== undefined) return account;
  }
  return undefined;
}

/** Opens a session in a transaction of its own. Spec: client-server API, "Login" (v1.19). */
export async function logIn(ctx: AccountsContext, request: DeviceRequest): Promise<DeviceSession> {
  const opened = await ctx.store.db.transaction((db) => openSession(db, request));
  ctx.tokens.revoked(opened.revoked);
  return opened.session;
}

import { MatrixError } from '../errors.ts';
import type { UserId } from '../room/identifiers.ts';
import type { Queryable } from '../storage/database.ts';
import { insertAccount, selectAccount } from '../storage/tables/accounts.ts';
import { updateTokenUsed } from '../storage/tables/registration_tokens.ts';
import type { AccountsContext } from './context.ts';
import { openSession } from './device-sessions.ts';
import type { DeviceSession } from './device-sessions.ts';
import { useUpSession } from './interactive-auth.ts';
import { noticesUserId } from './server-notices.ts';
import { indexUsers } from './user-directory.ts';
import { hashPassword, MAX_PASSWORD_LENGTH } from './passwords.ts';

/** The part of the context that making an account takes: the command line has no more. */
export interface RegistrationContext {
  readonly config: AccountsContext['config'];
  readonly store: Pick<AccountsContext['store'], 'db' | 'names'>;
}

export interface Registration {
  userId: UserId;
  password: string;
  admin?: boolean;
  /** The interactive authentication that allowed it; used up with it. */
  sessionId?: string;
  /** A counted token of the database; one use is taken with it. */
  countedToken?: string | undefined;
  /** Undefined: no session is opened. */
  device?: { deviceId?: string | undefined; deviceName?: string | undefined } | undefined;
}

/** Errors: M_USER_IN_USE, M_EXCLUSIVE. */
export async function refuseTakenUserId(ctx: RegistrationContext, userId: UserId): Promise<void> {
  refuseReserved(ctx, userId);
  if ((await selectAccount(ctx.store.db, userId)) !== undefined) throw new MatrixError('M_USER_IN_USE');
}

/** The name as which the server talks is nobody's. */
function refuseReserved({ config }: RegistrationContext, userId: UserId): void {
  if (userId !== noticesUserId(config)) return;
  throw new MatrixError('M_EXCLUSIVE', 'This name is reserved for notices of the server.');
}

/** Errors: M_WEAK_PASSWORD with the rule that it breaks, M_INVALID_PARAM when it is too long to be checked. */
export function refuseWeakPassword(ctx: RegistrationContext, password: string): void {
  const least = ctx.config.registration.minPasswordLength;
  if (password.length < least) {
    throw new MatrixError('M_WEAK_PASSWORD', `The password is too short: at least ${least} characters are needed.`);
  }
  if (password.length > MAX_PASSWORD_LENGTH) {
    throw new MatrixError('M_INVALID_PARAM', `password: at most ${MAX_PASSWORD_LENGTH} characters are allowed.`);
  }
}

/**
 * Makes an account and opens its first session: all in one transaction or nothing.
 * Errors: M_USER_IN_USE, M_FORBIDDEN (session or token used up meanwhile), M_WEAK_PASSWORD.
 * Spec: client-server API, "Account registration" (v1.19).
 */
export async function registerAccount(
  ctx: RegistrationContext,
  request: Registration,
): Promise<DeviceSession | undefined> {
  refuseWeakPassword(ctx, request.password);
  refuseReserved(ctx, request.userId);
  const passwordHash = await hashPassword(request.password);
  const userNo = await ctx.store.names.userNo(request.userId);
  const createdAt = Date.now();
  return ctx.store.db.transaction(async (db) => {
    const account = { userNo, passwordHash, admin: request.admin ?? false, createdAt };
    if (!(await insertAccount(db, account))) throw new MatrixError('M_USER_IN_USE');
    await useUp(db, request, createdAt);
    await indexUsers(db, [userNo]);
    if (request.device === undefined) return undefined;
    const { session } = await openSession(db, { userId: request.userId, userNo, ...request.device });
    return session;
  });
}

async function useUp(db: Queryable, request: Registration, now: number): Promise<void> {
  if (request.countedToken !== undefined && !(await updateTokenUsed(db, request.countedToken, now))) {
    throw new MatrixError('M_FORBIDDEN', 'The registration token has been used up.');
  }
  if (request.sessionId === undefined) return;
  await useUpSession(db, request.sessionId, { user_id: request.userId });
}

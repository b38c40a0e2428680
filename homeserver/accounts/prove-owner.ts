import * as z from 'zod';
import { MatrixError } from '../errors.ts';
import type { AccountsContext } from './context.ts';
import { authenticateInteractively, useUpSession } from './interactive-auth.ts';
import type { AuthData, InteractiveOutcome, InteractiveRequest, StageCheck } from './interactive-auth.ts';
import { provePassword } from './log-in.ts';

const PASSWORD = 'm.login.password';

/** What the password stage finds in `auth`: the new and the old way of naming the user. */
const PasswordAuth = z.looseObject({
  password: z.string().max(1024),
  identifier: z.looseObject({ user: z.string().max(255) }).optional(),
  user: z.string().max(255).optional(),
});

export interface OwnerRequest {
  operationId: string;
  bound: InteractiveRequest['bound'];
  owner: { userId: string; userNo: number };
  auth: AuthData | undefined;
}

/**
 * Asks the caller for the account's password again before something that a stolen token must not be enough for. A proof counts once.
 * Errors: those of `authenticateInteractively`, M_FORBIDDEN (somebody else's password).
 */
export async function proveOwner(ctx: AccountsContext, request: OwnerRequest): Promise<InteractiveOutcome> {
  const { operationId, bound, owner, auth } = request;
  const stages = { [PASSWORD]: passwordStage(ctx, owner.userId) };
  const outcome = await authenticateInteractively(ctx, {
    operationId,
    bound,
    userNo: owner.userNo,
    auth,
    flows: [[PASSWORD]],
    stages,
  });
  if (outcome.done) await useUpSession(ctx.store.db, outcome.sessionId, {});
  return outcome;
}

function passwordStage(ctx: AccountsContext, userId: string): StageCheck {
  return async (auth) => {
    const parsed = PasswordAuth.safeParse(auth);
    const wrong = { ok: false, code: 'M_FORBIDDEN', error: 'The password is wrong.' } as const;
    if (!parsed.success) return { ok: false, code: 'M_MISSING_PARAM', error: 'password: is required' };
    const { password, identifier, user = identifier?.user ?? userId } = parsed.data;
    try {
      const proven = await provePassword(ctx, user, password);
      if (proven.userId === userId) return { ok: true };
    } catch (error) {
      if (error instanceof MatrixError && error.code === 'M_FORBIDDEN') return wrong;
      throw error;
    }
    // Trying again would not help: the password was right, the user is not.
    throw new MatrixError('M_FORBIDDEN', 'This is the password of another user.');
  };
}

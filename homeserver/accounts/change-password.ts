import { deleteTokensOfDevices } from '../storage/tables/access_tokens.ts';
import { updatePasswordHash } from '../storage/tables/accounts.ts';
import { deleteDevices, selectDevices } from '../storage/tables/devices.ts';
import type { AccountsContext } from './context.ts';
import { MAX_DEVICES } from './device-sessions.ts';
import { hashPassword } from './passwords.ts';
import { refuseWeakPassword } from './register.ts';

export interface PasswordChange {
  userNo: number;
  password: string;
  /** The device that stays logged in; undefined: all do. */
  logOutAllBut: number | undefined;
}

/** Sets a new password and, if wanted, ends the other sessions with it. Errors: M_WEAK_PASSWORD. */
export async function changePassword(ctx: AccountsContext, change: PasswordChange): Promise<void> {
  const { userNo, password, logOutAllBut } = change;
  refuseWeakPassword(ctx, password);
  const passwordHash = await hashPassword(password);
  const deleted = await ctx.store.db.transaction(async (db) => {
    await updatePasswordHash(db, userNo, passwordHash);
    if (logOutAllBut === undefined) return [];
    const others = (await selectDevices(db, userNo, MAX_DEVICES)).map((device) => device.device_no);
    const deviceNos = await deleteDevices(
      db,
      userNo,
      others.filter((deviceNo) => deviceNo !== logOutAllBut),
    );
    await deleteTokensOfDevices(db, deviceNos);
    return deviceNos;
  });
  ctx.tokens.revoked(deleted);
}

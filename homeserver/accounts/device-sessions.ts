import { MatrixError } from '../errors.ts';
import type { UserId } from '../room/identifiers.ts';
import type { Queryable } from '../storage/database.ts';
import { deleteTokensOfDevices, insertAccessToken } from '../storage/tables/access_tokens.ts';
import { deleteAllDevices, deleteDevices, selectDeviceCount, upsertDevice } from '../storage/tables/devices.ts';
import type { AccountsContext } from './context.ts';
import { hashToken, newAccessToken, newDeviceId } from './tokens.ts';

/** Most devices of one user; past that old ones have to be logged out first. */
export const MAX_DEVICES = 2000;

/** What a login or a registration gives to the client. */
export interface DeviceSession {
  userId: UserId;
  deviceId: string;
  accessToken: string;
}

export interface DeviceRequest {
  userId: UserId;
  userNo: number;
  /** The client's own id for a device that it wants again or names itself. */
  deviceId?: string | undefined;
  /** Kept only if the device is new. */
  deviceName?: string | undefined;
}

/**
 * Opens a session inside the caller's transaction: the devices in `revoked` belong in `tokens.revoked` once that is committed. A new
 * device is not among them: another replica may hear of it after the device's first sync has begun there, and would end that.
 */
export async function openSession(
  db: Queryable,
  request: DeviceRequest,
): Promise<{ session: DeviceSession; revoked: readonly number[] }> {
  const { userId, userNo, deviceId = newDeviceId(), deviceName } = request;
  if ((await selectDeviceCount(db, userNo, MAX_DEVICES)) >= MAX_DEVICES) {
    throw new MatrixError('M_FORBIDDEN', `This account has ${MAX_DEVICES} devices: log some out first.`);
  }
  const now = Date.now();
  const deviceNo = await upsertDevice(db, { userNo, deviceId, name: deviceName ?? null, createdAt: now });
  // A device has one token: the specification invalidates the one before when a device logs in again.
  const revoked = await deleteTokensOfDevices(db, [deviceNo]);
  const accessToken = newAccessToken();
  await insertAccessToken(db, {
    tokenHash: Buffer.from(hashToken(accessToken), 'hex'),
    deviceNo,
    userNo,
    createdAt: now,
  });
  return { session: { userId, deviceId, accessToken }, revoked };
}

/** Ends the sessions of some devices of a user and deletes the devices. Spec: client-server API, "Logging out" (v1.19). */
export async function logOut(ctx: AccountsContext, userNo: number, deviceNos: readonly number[]): Promise<void> {
  await ctx.store.db.transaction(async (db) => {
    const deleted = await deleteDevices(db, userNo, deviceNos);
    await deleteTokensOfDevices(db, deleted);
  });
  ctx.tokens.revoked(deviceNos);
}

/** Ends all sessions of a user and deletes all devices. */
export async function logOutAll(ctx: AccountsContext, userNo: number): Promise<void> {
  const deviceNos = await ctx.store.db.transaction(async (db) => {
    const deleted = await deleteAllDevices(db, userNo);
    await deleteTokensOfDevices(db, deleted);
    return deleted;
  });
  ctx.tokens.revoked(deviceNos);
}

import * as z from 'zod';
import { logOut } from '../../accounts/device-sessions.ts';
import { AuthData } from '../../accounts/interactive-auth.ts';
import { proveOwner } from '../../accounts/prove-owner.ts';
import { selectDevice } from '../../storage/tables/devices.ts';
import type { App } from '../app.ts';
import { endpoint, StatusAnswer } from '../endpoint.ts';

/**
 * Log a device of one's own out, with the password. A device that is not there counts as done.
 * Spec: client-server API, "Device Management" (v1.19).
 */
export const deleteDevice = endpoint({
  operationId: 'deleteDevice',
  method: 'DELETE',
  path: '/_matrix/client/v3/devices/:deviceId',
  aliases: ['/_matrix/client/r0/devices/:deviceId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ deviceId: z.string() }),
  body: z.looseObject({ auth: AuthData.optional() }),
  handle: async (app: App, { requester, params: { deviceId }, body: { auth } }) => {
    const bound = { device_id: deviceId };
    const outcome = await proveOwner(app, { operationId: 'deleteDevice', bound, owner: requester, auth });
    if (!outcome.done) return new StatusAnswer(401, outcome.body);
    const device = await selectDevice(app.store.db, requester.userNo, deviceId);
    if (device !== undefined) await logOut(app, requester.userNo, [device.device_no]);
    return {};
  },
});

import * as z from 'zod';
import { logOut } from '../../accounts/device-sessions.ts';
import { AuthData } from '../../accounts/interactive-auth.ts';
import { proveOwner } from '../../accounts/prove-owner.ts';
import { selectDevices } from '../../storage/tables/devices.ts';
import { MAX_DEVICES } from '../../accounts/device-sessions.ts';
import type { App } from '../app.ts';
import { endpoint, StatusAnswer } from '../endpoint.ts';

/** Log several devices of one's own out, with the password. Spec: client-server API, "Device Management" (v1.19). */
export const deleteDevices = endpoint({
  operationId: 'deleteDevices',
  method: 'POST',
  path: '/_matrix/client/v3/delete_devices',
  aliases: ['/_matrix/client/r0/delete_devices'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  body: z.looseObject({ auth: AuthData.optional(), devices: z.array(z.string()).max(MAX_DEVICES) }),
  handle: async (app: App, { requester, body: { auth, devices } }) => {
    const bound = { devices: JSON.stringify(devices) };
    const outcome = await proveOwner(app, { operationId: 'deleteDevices', bound, owner: requester, auth });
    if (!outcome.done) return new StatusAnswer(401, outcome.body);
    const wanted = new Set(devices);
    const all = await selectDevices(app.store.db, requester.userNo, MAX_DEVICES);
    const chosen = all.filter((device) => wanted.has(device.device_id)).map((device) => device.device_no);
    await logOut(app, requester.userNo, chosen);
    return {};
  },
});

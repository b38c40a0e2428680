import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { updateDeviceName } from '../../storage/tables/devices.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** Name a device of one's own. Errors: M_NOT_FOUND. Spec: client-server API, "Device Management" (v1.19). */
export const updateDevice = endpoint({
  operationId: 'updateDevice',
  method: 'PUT',
  path: '/_matrix/client/v3/devices/:deviceId',
  aliases: ['/_matrix/client/r0/devices/:deviceId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ deviceId: z.string() }),
  body: z.looseObject({ display_name: z.string().max(255).optional() }),
  handle: async (app: App, { requester, params, body }) => {
    const name = body.display_name ?? null;
    if (await updateDeviceName(app.store.db, { userNo: requester.userNo, deviceId: params.deviceId, name })) return {};
    throw new MatrixError('M_NOT_FOUND', 'You have no such device.');
  },
});

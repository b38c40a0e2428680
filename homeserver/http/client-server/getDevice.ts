import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { selectDevice } from '../../storage/tables/devices.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { deviceAnswer } from './device-answer.ts';

/** One device of the user. Errors: M_NOT_FOUND. Spec: client-server API, "Device Management" (v1.19). */
export const getDevice = endpoint({
  operationId: 'getDevice',
  method: 'GET',
  path: '/_matrix/client/v3/devices/:deviceId',
  aliases: ['/_matrix/client/r0/devices/:deviceId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ deviceId: z.string() }),
  handle: async (app: App, { requester, params }) => {
    const device = await selectDevice(app.store.db, requester.userNo, params.deviceId);
    if (device === undefined) throw new MatrixError('M_NOT_FOUND', 'You have no such device.');
    return deviceAnswer(device);
  },
});

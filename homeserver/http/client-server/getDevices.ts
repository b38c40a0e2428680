import { MAX_DEVICES } from '../../accounts/device-sessions.ts';
import { selectDevices } from '../../storage/tables/devices.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { deviceAnswer } from './device-answer.ts';

/** All devices of the user, oldest first. Spec: client-server API, "Device Management" (v1.19). */
export const getDevices = endpoint({
  operationId: 'getDevices',
  method: 'GET',
  path: '/_matrix/client/v3/devices',
  aliases: ['/_matrix/client/r0/devices'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  handle: async (app: App, { requester }) => {
    const devices = await selectDevices(app.store.db, requester.userNo, MAX_DEVICES);
    return { devices: devices.map(deviceAnswer) };
  },
});

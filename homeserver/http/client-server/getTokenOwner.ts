import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** Whose access token this is. Spec: client-server API, "Current account information" (v1.19). */
export const getTokenOwner = endpoint({
  operationId: 'getTokenOwner',
  method: 'GET',
  path: '/_matrix/client/v3/account/whoami',
  aliases: ['/_matrix/client/r0/account/whoami'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  handle: (_app: App, { requester }) =>
    Promise.resolve({ user_id: requester.userId, device_id: requester.deviceId, is_guest: false }),
});

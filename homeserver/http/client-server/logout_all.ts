import { logOutAll } from '../../accounts/device-sessions.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** End all sessions of the user and delete all devices. Spec: client-server API, "Logging out" (v1.19). */
export const logout_all = endpoint({
  operationId: 'logout_all',
  method: 'POST',
  path: '/_matrix/client/v3/logout/all',
  aliases: ['/_matrix/client/r0/logout/all'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  handle: async (app: App, { requester }) => {
    await logOutAll(app, requester.userNo);
    return {};
  },
});

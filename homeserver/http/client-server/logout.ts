import { logOut } from '../../accounts/device-sessions.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** End this session and delete its device. Spec: client-server API, "Logging out" (v1.19). */
export const logout = endpoint({
  operationId: 'logout',
  method: 'POST',
  path: '/_matrix/client/v3/logout',
  aliases: ['/_matrix/client/r0/logout'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  handle: async (app: App, { requester }) => {
    await logOut(app, requester.userNo, [requester.deviceNo]);
    return {};
  },
});

import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** The ways to log in. Spec: client-server API, "Login" (v1.19). */
export const getLoginFlows = endpoint({
  operationId: 'getLoginFlows',
  method: 'GET',
  path: '/_matrix/client/v3/login',
  aliases: ['/_matrix/client/r0/login'],
  auth: 'none',
  rateLimit: 'requestsPerUser',
  handle: (_app: App) => Promise.resolve({ flows: [{ type: 'm.login.password' }] }),
});

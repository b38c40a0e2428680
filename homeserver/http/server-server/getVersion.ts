import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** Name and version of this program. Spec: server-server API, "Retrieving server implementation" (v1.19). */
export const getVersion = endpoint({
  operationId: 'getVersion',
  method: 'GET',
  path: '/_matrix/federation/v1/version',
  auth: 'none',
  rateLimit: 'none',
  handle: (app: App) => Promise.resolve({ server: { name: 'matrix-operator', version: app.softwareVersion } }),
});

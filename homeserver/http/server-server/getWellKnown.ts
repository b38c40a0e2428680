import { MatrixError } from '../../errors.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** Where other servers reach this one. Spec: server-server API, "Server discovery" (v1.19). Errors: M_NOT_FOUND. */
export const getWellKnown = endpoint({
  operationId: 'getWellKnown',
  method: 'GET',
  path: '/.well-known/matrix/server',
  auth: 'none',
  rateLimit: 'none',
  handle: (app: App) => {
    const server = app.config.wellKnownServer;
    if (server === undefined) return Promise.reject(new MatrixError('M_NOT_FOUND'));
    return Promise.resolve({ 'm.server': server });
  },
});

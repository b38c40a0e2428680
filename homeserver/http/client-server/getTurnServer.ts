import { turnCredentials } from '../../calls/turn-credentials.ts';
import { MatrixError } from '../../errors.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** Credentials for calls, for this user and a limited time. Spec: client-server API, "Voice over IP" (v1.19). Errors: M_NOT_FOUND. */
export const getTurnServer = endpoint({
  operationId: 'getTurnServer',
  method: 'GET',
  path: '/_matrix/client/v3/voip/turnServer',
  aliases: ['/_matrix/client/r0/voip/turnServer'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  handle: (app: App, { requester }) => {
    if (app.turn === undefined) {
      return Promise.reject(new MatrixError('M_NOT_FOUND', 'This server has no TURN server.'));
    }
    return Promise.resolve(turnCredentials(app.turn, requester.userId, Date.now()));
  },
});

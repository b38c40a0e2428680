import * as z from 'zod';
import { findRegistrationToken } from '../../accounts/registration-tokens.ts';
import { MatrixError } from '../../errors.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/**
 * Whether a registration token could be used now. Errors: M_FORBIDDEN when tokens are not in use here.
 * Spec: client-server API, "Token-authenticated registration" (v1.19).
 */
export const registrationTokenValidity = endpoint({
  operationId: 'registrationTokenValidity',
  method: 'GET',
  path: '/_matrix/client/v1/register/m.login.registration_token/validity',
  auth: 'none',
  rateLimit: 'registrationPerAddress',
  query: z.looseObject({ token: z.string().max(64) }),
  handle: async (app: App, { query }) => {
    if (app.config.registration.mode !== 'Token') {
      throw new MatrixError('M_FORBIDDEN', 'This server does not use registration tokens.');
    }
    return { valid: (await findRegistrationToken(app, query.token)) !== undefined };
  },
});

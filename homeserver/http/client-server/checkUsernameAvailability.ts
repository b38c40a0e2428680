import * as z from 'zod';
import { refuseTakenUserId } from '../../accounts/register.ts';
import { newUserId } from '../../accounts/user-ids.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/**
 * Whether a user name is free. Errors: M_USER_IN_USE, M_INVALID_USERNAME.
 * Spec: client-server API, "Account registration" (v1.19).
 */
export const checkUsernameAvailability = endpoint({
  operationId: 'checkUsernameAvailability',
  method: 'GET',
  path: '/_matrix/client/v3/register/available',
  aliases: ['/_matrix/client/r0/register/available'],
  auth: 'none',
  // Counted like a login attempt: it answers whether an account exists.
  rateLimit: 'loginPerAddress',
  query: z.looseObject({ username: z.string().max(255) }),
  handle: async (app: App, { query }) => {
    await refuseTakenUserId(app, newUserId(app, query.username));
    return { available: true };
  },
});

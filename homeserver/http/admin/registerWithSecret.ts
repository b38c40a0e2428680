import * as z from 'zod';
import { refuseTakenUserId, registerAccount } from '../../accounts/register.ts';
import { requireSecret } from '../../accounts/shared-secret.ts';
import { newUserId } from '../../accounts/user-ids.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { sessionAnswer } from '../client-server/session-answer.ts';

const RegisterBody = z.looseObject({
  nonce: z.string().max(255),
  username: z.string().max(255),
  password: z.string().max(1024),
  admin: z.boolean().default(false),
  mac: z.string().max(64),
  inhibit_login: z.boolean().default(false),
});

/**
 * Make an account, an administrator's too, with the secret of the file `registration-secret`. Errors: M_UNRECOGNIZED (off),
 * M_FORBIDDEN, M_USER_IN_USE, M_INVALID_USERNAME, M_WEAK_PASSWORD. Synapse admin API, "Shared-Secret Registration".
 */
export const registerWithSecret = endpoint({
  operationId: 'registerWithSecret',
  method: 'POST',
  path: '/_synapse/admin/v1/register',
  auth: 'none',
  rateLimit: 'registrationPerAddress',
  body: RegisterBody,
  handle: async (app: App, { body }) => {
    const { username, password, admin, inhibit_login: inhibitLogin } = body;
    await requireSecret(app, body);
    const userId = newUserId(app, username);
    await refuseTakenUserId(app, userId);
    const device = inhibitLogin ? undefined : {};
    const made = await registerAccount(app, { userId, password, admin, device });
    return made === undefined ? { user_id: userId, home_server: app.config.serverName } : sessionAnswer(app, made);
  },
});

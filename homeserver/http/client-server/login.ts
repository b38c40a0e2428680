import * as z from 'zod';
import { logIn, provePassword } from '../../accounts/log-in.ts';
import { MatrixError } from '../../errors.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { sessionAnswer } from './session-answer.ts';

const LoginBody = z.looseObject({
  type: z.string().max(255),
  identifier: z.looseObject({ type: z.string().max(255), user: z.string().max(255).optional() }).optional(),
  /** Deprecated spelling of `identifier`. */
  user: z.string().max(255).optional(),
  password: z.string().max(1024).optional(),
  device_id: z.string().min(1).max(255).optional(),
  initial_device_display_name: z.string().max(255).optional(),
});

type LoginBody = z.infer<typeof LoginBody>;

/**
 * Log in with a password. Errors: M_FORBIDDEN (wrong name or password), M_USER_DEACTIVATED, M_UNKNOWN (another login type),
 * M_LIMIT_EXCEEDED. Spec: client-server API, "Login" (v1.19).
 */
export const login = endpoint({
  operationId: 'login',
  method: 'POST',
  path: '/_matrix/client/v3/login',
  aliases: ['/_matrix/client/r0/login'],
  auth: 'none',
  rateLimit: 'loginPerAddress',
  body: LoginBody,
  handle: async (app: App, { body }) => {
    if (body.type !== 'm.login.password') {
      throw new MatrixError('M_UNKNOWN', 'type: only m.login.password is allowed.', { status: 400 });
    }
    const user = await provePassword(app, userOf(body), passwordOf(body));
    const request = { ...user, deviceId: body.device_id, deviceName: body.initial_device_display_name };
    return sessionAnswer(app, await logIn(app, request));
  },
});

function userOf({ identifier, user }: LoginBody): string {
  if (identifier !== undefined && identifier.type !== 'm.id.user') {
    throw new MatrixError('M_UNKNOWN', 'identifier.type: only m.id.user is allowed.', { status: 400 });
  }
  const name = identifier?.user ?? user;
  if (name === undefined) throw new MatrixError('M_MISSING_PARAM', 'identifier.user: is required');
  return name;
}

function passwordOf({ password }: LoginBody): string {
  if (password === undefined) throw new MatrixError('M_MISSING_PARAM', 'password: is required');
  return password;
}

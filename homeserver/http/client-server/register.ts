import * as z from 'zod';
import { AuthData, authenticateInteractively } from '../../accounts/interactive-auth.ts';
import type { Facts, StageCheck } from '../../accounts/interactive-auth.ts';
import { refuseTakenUserId, refuseWeakPassword, registerAccount } from '../../accounts/register.ts';
import type { Registration } from '../../accounts/register.ts';
import { findRegistrationToken } from '../../accounts/registration-tokens.ts';
import { newLocalpart } from '../../accounts/tokens.ts';
import { newUserId } from '../../accounts/user-ids.ts';
import { MatrixError } from '../../errors.ts';
import type { App } from '../app.ts';
import { endpoint, StatusAnswer } from '../endpoint.ts';
import { networkOf } from '../network-of.ts';
import { sessionAnswer } from './session-answer.ts';

const RegisterQuery = z.looseObject({ kind: z.enum(['user', 'guest']).default('user') });

const RegisterBody = z.looseObject({
  auth: AuthData.optional(),
  username: z.string().max(255).optional(),
  password: z.string().optional(),
  device_id: z.string().min(1).max(255).optional(),
  initial_device_display_name: z.string().max(255).optional(),
  inhibit_login: z.boolean().default(false),
});

type RegisterBody = z.infer<typeof RegisterBody>;

const DUMMY = 'm.login.dummy';
const TOKEN = 'm.login.registration_token';

/**
 * Make an account by user-interactive authentication, as far as the configuration allows it.
 * Errors: M_FORBIDDEN (closed), M_USER_IN_USE, M_INVALID_USERNAME, M_WEAK_PASSWORD, M_MISSING_PARAM, M_LIMIT_EXCEEDED;
 * 401 asks for the next stage. Spec: client-server API, "Account registration" (v1.19).
 */
export const register = endpoint({
  operationId: 'register',
  method: 'POST',
  path: '/_matrix/client/v3/register',
  aliases: ['/_matrix/client/r0/register'],
  auth: 'none',
  // Requests that only ask for the stages are cheap; `registrationPerAddress` counts those that try to make an account.
  rateLimit: 'requestsPerUser',
  query: RegisterQuery,
  body: RegisterBody,
  handle: async (app: App, { query, body, address }) => {
    refuseByPolicy(app, query.kind);
    const wanted = body.username === undefined ? undefined : newUserId(app, body.username);
    if (body.password !== undefined) refuseWeakPassword(app, body.password);
    if (body.auth !== undefined) app.limits.take('registrationPerAddress', networkOf(address));
    if (wanted !== undefined) await refuseTakenUserId(app, wanted);
    const outcome = await authenticateInteractively(app, { ...interaction(app, body), auth: body.auth });
    if (!outcome.done) return new StatusAnswer(401, outcome.body);
    const userId = wanted ?? newUserId(app, newLocalpart());
    const made = await registerAccount(app, registration(body, { userId, ...outcome }));
    return made === undefined ? { user_id: userId, home_server: app.config.serverName } : sessionAnswer(app, made);
  },
});

function refuseByPolicy(app: App, kind: 'user' | 'guest'): void {
  if (kind === 'guest') throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'This server has no guest accounts.');
  if (app.config.registration.mode === 'Closed') {
    throw new MatrixError('M_FORBIDDEN', 'Registration is closed on this server.');
  }
}

function interaction(app: App, body: RegisterBody) {
  const stage = app.config.registration.mode === 'Token' ? TOKEN : DUMMY;
  return {
    operationId: 'register',
    userNo: null,
    bound: {
      username: body.username ?? null,
      device_id: body.device_id ?? null,
      initial_device_display_name: body.initial_device_display_name ?? null,
      inhibit_login: body.inhibit_login,
    },
    flows: [[stage]],
    stages: { [DUMMY]: () => ({ ok: true }) as const, [TOKEN]: tokenStage(app) },
  };
}

function tokenStage(app: App): StageCheck {
  return async (auth) => {
    const { token } = auth;
    const source = typeof token === 'string' ? await findRegistrationToken(app, token) : undefined;
    if (typeof token !== 'string' || source === undefined) {
      return { ok: false, code: 'M_UNAUTHORIZED', error: 'The registration token is not valid.' };
    }
    return { ok: true, facts: source === 'database' ? { countedToken: token } : {} };
  };
}

function registration(
  body: RegisterBody,
  proven: { userId: Registration['userId']; sessionId: string; facts: Facts },
): Registration {
  if (body.password === undefined) throw new MatrixError('M_MISSING_PARAM', 'password: is required');
  const { userId, sessionId, facts } = proven;
  const device = { deviceId: body.device_id, deviceName: body.initial_device_display_name };
  const rest = { sessionId, countedToken: facts['countedToken'], device: body.inhibit_login ? undefined : device };
  return { userId, password: body.password, ...rest };
}

import * as z from 'zod';
import { changePassword as change } from '../../accounts/change-password.ts';
import { AuthData } from '../../accounts/interactive-auth.ts';
import { proveOwner } from '../../accounts/prove-owner.ts';
import { refuseWeakPassword } from '../../accounts/register.ts';
import type { App } from '../app.ts';
import { endpoint, StatusAnswer } from '../endpoint.ts';

const PasswordBody = z.looseObject({
  auth: AuthData.optional(),
  new_password: z.string(),
  logout_devices: z.boolean().default(true),
});

/**
 * Set a new password, with the old one; other sessions end unless `logout_devices` is false.
 * Errors: M_WEAK_PASSWORD. Spec: client-server API, "Password management" (v1.19).
 */
export const changePassword = endpoint({
  operationId: 'changePassword',
  method: 'POST',
  path: '/_matrix/client/v3/account/password',
  aliases: ['/_matrix/client/r0/account/password'],
  auth: 'user',
  // Without a token only an e-mail address could prove the owner, which comes with third-party identifiers.
  rateLimit: 'requestsPerUser',
  body: PasswordBody,
  handle: async (app: App, { requester, body }) => {
    refuseWeakPassword(app, body.new_password);
    const request = { operationId: 'changePassword', bound: { logout_devices: body.logout_devices }, owner: requester };
    const outcome = await proveOwner(app, { ...request, auth: body.auth });
    if (!outcome.done) return new StatusAnswer(401, outcome.body);
    const logOutAllBut = body.logout_devices ? requester.deviceNo : undefined;
    await change(app, { userNo: requester.userNo, password: body.new_password, logOutAllBut });
    return {};
  },
});

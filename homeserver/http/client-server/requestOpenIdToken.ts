import * as z from 'zod';
import { newOpenIdToken } from '../../accounts/openid-tokens.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { checkOwnUser, idField } from './request-fields.ts';

/**
 * A token by which others learn who the caller is, such as the service that lets them into a group call. Errors: M_FORBIDDEN,
 * M_UNRECOGNIZED. Spec: client-server API, "OpenID" (v1.19).
 */
export const requestOpenIdToken = endpoint({
  operationId: 'requestOpenIdToken',
  method: 'POST',
  path: '/_matrix/client/v3/user/:userId/openid/request_token',
  aliases: ['/_matrix/client/r0/user/:userId/openid/request_token'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: idField }),
  handle: async (app: App, { requester, params }) => {
    checkOwnUser(requester, params.userId);
    const { token, expiresIn } = await newOpenIdToken(app, requester.userId, Date.now());
    const { serverName } = app.config;
    return { access_token: token, token_type: 'Bearer', matrix_server_name: serverName, expires_in: expiresIn };
  },
});

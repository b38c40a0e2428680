import * as z from 'zod';
import { openIdUser } from '../../accounts/openid-tokens.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

const MAX_TOKEN = 1024;

/** Whose OpenID token this is; anybody may ask. Errors: M_UNKNOWN_TOKEN, M_UNRECOGNIZED. Spec: server-server API, "OpenID" (v1.19). */
export const exchangeOpenIdToken = endpoint({
  operationId: 'exchangeOpenIdToken',
  method: 'GET',
  path: '/_matrix/federation/v1/openid/userinfo',
  auth: 'none',
  rateLimit: 'none',
  query: z.object({ access_token: z.string().min(1).max(MAX_TOKEN) }),
  handle: async (app: App, { query }) => ({ sub: await openIdUser(app, query.access_token, Date.now()) }),
});

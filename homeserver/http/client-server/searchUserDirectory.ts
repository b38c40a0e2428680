import * as z from 'zod';
import { searchDirectory } from '../../accounts/user-directory.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

const MAX_RESULTS = 100;

const SearchBody = z.looseObject({
  search_term: z.string().max(1024),
  limit: z
    .int()
    .min(0)
    .default(10)
    .transform((limit) => Math.min(limit, MAX_RESULTS)),
});

/** Find users by name. Errors: M_BAD_JSON, M_INVALID_PARAM. Spec: client-server API, "User Directory" (v1.19). */
export const searchUserDirectory = endpoint({
  operationId: 'searchUserDirectory',
  method: 'POST',
  path: '/_matrix/client/v3/user_directory/search',
  aliases: ['/_matrix/client/r0/user_directory/search'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  body: SearchBody,
  handle: async (app: App, { requester, body }) =>
    searchDirectory(app, requester.userNo, { term: body.search_term, limit: body.limit }),
});

import * as z from 'zod';
import { getProfile } from '../../accounts/profiles.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** All fields of a profile. Errors: M_NOT_FOUND. Spec: client-server API, "Profiles" (v1.19). */
export const getUserProfile = endpoint({
  operationId: 'getUserProfile',
  method: 'GET',
  path: '/_matrix/client/v3/profile/:userId',
  aliases: ['/_matrix/client/r0/profile/:userId'],
  auth: 'none',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: z.string() }),
  handle: async (app: App, { params }) => getProfile(app, params.userId),
});

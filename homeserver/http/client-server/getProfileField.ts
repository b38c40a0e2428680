import * as z from 'zod';
import { getProfile } from '../../accounts/profiles.ts';
import { MatrixError } from '../../errors.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** One field of a profile. Errors: M_NOT_FOUND. Spec: client-server API, "Profiles" (v1.19). */
export const getProfileField = endpoint({
  operationId: 'getProfileField',
  method: 'GET',
  path: '/_matrix/client/v3/profile/:userId/:keyName',
  aliases: ['/_matrix/client/r0/profile/:userId/:keyName'],
  auth: 'none',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: z.string(), keyName: z.string() }),
  handle: async (app: App, { params: { userId, keyName } }) => {
    const profile = new Map(Object.entries(await getProfile(app, userId)));
    if (!profile.has(keyName)) throw new MatrixError('M_NOT_FOUND', 'The profile has no such field.');
    return { [keyName]: profile.get(keyName) };
  },
});

import * as z from 'zod';
import { removeProfileField } from '../../accounts/profiles.ts';
import { MatrixError } from '../../errors.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { tellProfile } from './tell-profile.ts';

/**
 * Remove one field of one's own profile. Errors: M_FORBIDDEN (somebody else's), M_INVALID_PARAM.
 * Spec: client-server API, "Profiles" (v1.19).
 */
export const deleteProfileField = endpoint({
  operationId: 'deleteProfileField',
  method: 'DELETE',
  path: '/_matrix/client/v3/profile/:userId/:keyName',
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: z.string(), keyName: z.string() }),
  handle: async (app: App, { requester, params: { userId, keyName } }) => {
    if (userId !== requester.userId) throw new MatrixError('M_FORBIDDEN', 'Only your own profile is yours to change.');
    const { spread } = await removeProfileField(app, requester.userNo, keyName);
    if (spread) await tellProfile(app, requester.userNo);
    return {};
  },
});

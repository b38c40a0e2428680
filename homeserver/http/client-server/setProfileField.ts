import * as z from 'zod';
import { setProfileField as setField } from '../../accounts/profiles.ts';
import { MatrixError } from '../../errors.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { tellProfile } from './tell-profile.ts';
import { JsonContent } from '../json-content.ts';

/**
 * Set one field of one's own profile. Errors: M_FORBIDDEN (somebody else's), M_MISSING_PARAM, M_INVALID_PARAM,
 * M_KEY_TOO_LARGE, M_PROFILE_TOO_LARGE. Spec: client-server API, "Profiles" (v1.19).
 */
export const setProfileField = endpoint({
  operationId: 'setProfileField',
  method: 'PUT',
  path: '/_matrix/client/v3/profile/:userId/:keyName',
  aliases: ['/_matrix/client/r0/profile/:userId/:keyName'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: z.string(), keyName: z.string() }),
  body: JsonContent,
  handle: async (app: App, { requester, params: { userId, keyName }, body }) => {
    if (userId !== requester.userId) throw new MatrixError('M_FORBIDDEN', 'Only your own profile is yours to change.');
    if (!Object.hasOwn(body, keyName)) throw new MatrixError('M_MISSING_PARAM', `${keyName}: is required`);
    const { spread } = await setField(app, requester.userNo, keyName, body[keyName]);
    if (spread) await tellProfile(app, requester.userNo);
    return {};
  },
});

import * as z from 'zod';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { checkOwnUser, idField } from './request-fields.ts';

const MAX_STATUS = 1000;

const PresenceBody = z.looseObject({
  presence: z.enum(['online', 'offline', 'unavailable']),
  status_msg: z.string().max(MAX_STATUS).nullish(),
});

/**
 * Say how the caller's device is there, and with which status message; without one there is none any more. Errors: M_FORBIDDEN
 * (somebody else's), M_INVALID_PARAM. Spec: client-server API, "Presence" (v1.19).
 */
export const setPresence = endpoint({
  operationId: 'setPresence',
  method: 'PUT',
  path: '/_matrix/client/v3/presence/:userId/status',
  aliases: ['/_matrix/client/r0/presence/:userId/status'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: idField }),
  body: PresenceBody,
  handle: async (app: App, { requester, params, body }) => {
    checkOwnUser(requester, params.userId);
    await app.sync.presence?.writer.set(requester, body.presence, body.status_msg ?? null);
    return {};
  },
});

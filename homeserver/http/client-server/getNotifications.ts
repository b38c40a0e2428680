import * as z from 'zod';
import { readNotifications } from '../../sync/notifications.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { numberField } from './request-fields.ts';

const MAX_NOTIFICATIONS = 100;

const NotificationsQuery = z.object({
  from: z.string().max(64).optional(),
  limit: numberField(1, MAX_NOTIFICATIONS).default(20),
  only: z.string().max(255).optional(),
});

/** What the caller has been notified of, newest first. Errors: M_INVALID_PARAM. Spec: client-server API, "Listing Notifications" (v1.19). */
export const getNotifications = endpoint({
  operationId: 'getNotifications',
  method: 'GET',
  path: '/_matrix/client/v3/notifications',
  aliases: ['/_matrix/client/r0/notifications'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  query: NotificationsQuery,
  handle: async (app: App, { requester, query }) => {
    const { from, limit, only } = query;
    return new RawJson(await readNotifications(app, requester, { from, limit, onlyHighlights: only === 'highlight' }));
  },
});

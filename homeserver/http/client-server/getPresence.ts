import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { presentContent } from '../../sync/presence-rows.ts';
import { selectSeenPresence } from '../../storage/tables/presence.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { idField } from './request-fields.ts';

/**
 * The presence of a user with whom the caller shares a room; who has never shown any is offline. Errors: M_FORBIDDEN, also when there is
 * no such user. Spec: client-server API, "Presence" (v1.19).
 */
export const getPresence = endpoint({
  operationId: 'getPresence',
  method: 'GET',
  path: '/_matrix/client/v3/presence/:userId/status',
  aliases: ['/_matrix/client/r0/presence/:userId/status'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ userId: idField }),
  handle: async (app: App, { requester, params }) => {
    const found = await selectSeenPresence(app.store.db, requester.userNo, params.userId);
    if (found?.visible !== true) {
      throw new MatrixError('M_FORBIDDEN', 'Only those who share a room with this user see their presence.');
    }
    return app.sync.presence === undefined ? { presence: 'offline' } : presentContent(found);
  },
});

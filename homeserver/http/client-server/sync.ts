import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { resolveFilter } from '../../sync/filters.ts';
import { parseSyncToken } from '../../sync/position.ts';
import { syncV3 } from '../../sync/sync-v3.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { booleanField, numberField } from './request-fields.ts';

const SyncQuery = z.object({
  filter: z.string().optional(),
  since: z.string().max(512).optional(),
  full_state: booleanField.default(false),
  set_presence: z.enum(['offline', 'online', 'unavailable']).optional(),
  timeout: numberField(0, Number.MAX_SAFE_INTEGER).default(0),
  use_state_after: booleanField.default(false),
});

/** What is new for the caller, waiting for it if asked to; it makes the caller online unless told otherwise. Errors: M_INVALID_PARAM. Spec: client-server API, "Syncing" (v1.19). */
export const sync = endpoint({
  operationId: 'sync',
  method: 'GET',
  path: '/_matrix/client/v3/sync',
  aliases: ['/_matrix/client/r0/sync'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  query: SyncQuery,
  handle: async (app: App, request) => {
    const { requester, query } = request;
    const reader = { ...requester, large: request.large };
    const since = query.since === undefined ? undefined : parseSyncToken(query.since);
    if (query.since !== undefined && since === undefined) {
      throw new MatrixError('M_INVALID_PARAM', 'since: must be a next_batch of an earlier sync.');
    }
    const filter = await resolveFilter(app, requester.userNo, query.filter);
    const timeoutMs = Math.min(query.timeout, app.config.sync.maxTimeoutMs);
    const { full_state: fullState, use_state_after: useStateAfter } = query;
    const asked = { reader, since, filter, fullState, useStateAfter, mayLag: timeoutMs > 0 };
    const setPresence = query.set_presence ?? 'online';
    if (setPresence !== 'offline') app.sync.presence?.writer.noteSync(requester, setPresence, timeoutMs);
    const session = app.tokens.watch(requester);
    try {
      const text = await syncV3(app, asked, timeoutMs, () => [request.signal, session.signal]);
      // A session that was ended meanwhile, by a new password perhaps, gets nothing more.
      if (await session.isEnded()) throw new MatrixError('M_UNKNOWN_TOKEN');
      return new RawJson(text);
    } finally {
      session.stop();
    }
  },
});

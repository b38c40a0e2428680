import * as z from 'zod';
import { readThreadRoots } from '../../sync/threads.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { numberField, RoomParams } from './request-fields.ts';

const MAX_ROOTS = 100;

const ThreadsQuery = z.object({
  include: z.enum(['all', 'participated']).default('all'),
  limit: numberField(1, MAX_ROOTS).default(20),
  from: z.string().max(512).optional(),
});

/** The threads of a room. Errors: M_FORBIDDEN, M_INVALID_PARAM. Spec: client-server API, "Querying threads in a room" (v1.19). */
export const getThreadRoots = endpoint({
  operationId: 'getThreadRoots',
  method: 'GET',
  path: '/_matrix/client/v1/rooms/:roomId/threads',
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RoomParams,
  query: ThreadsQuery,
  handle: async (app: App, { requester, params, query }) => {
    const { limit, from } = query;
    const request = { roomId: params.roomId, participated: query.include === 'participated', limit, from };
    return new RawJson(await readThreadRoots(app, requester, request));
  },
});

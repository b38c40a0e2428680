import * as z from 'zod';
import { readSpaceHierarchy } from '../../sync/space-hierarchy.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { booleanField, numberField, RoomParams } from './request-fields.ts';

const MAX_ROOMS = 1000;

const HierarchyQuery = z.object({
  suggested_only: booleanField.default(false),
  limit: numberField(1, MAX_ROOMS).default(50),
  max_depth: numberField(0, 1000).optional(),
  from: z.string().max(512).optional(),
});

/** The rooms below a space. Errors: M_FORBIDDEN, M_INVALID_PARAM. Spec: client-server API, "Spaces" (v1.19). */
export const getSpaceHierarchy = endpoint({
  operationId: 'getSpaceHierarchy',
  method: 'GET',
  path: '/_matrix/client/v1/rooms/:roomId/hierarchy',
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RoomParams,
  query: HierarchyQuery,
  handle: async (app: App, { requester, params, query }) => {
    const text = await readSpaceHierarchy(app, requester, {
      roomId: params.roomId,
      suggestedOnly: query.suggested_only,
      limit: query.limit,
      maxDepth: query.max_depth,
      from: query.from,
    });
    return new RawJson(text);
  },
});

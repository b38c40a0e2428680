import * as z from 'zod';
import { readRelations } from '../../sync/relations.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { relationsRequest, RelationsQuery } from './relations-fields.ts';
import { idField } from './request-fields.ts';

/** What relates to an event. Errors: M_FORBIDDEN, M_NOT_FOUND. Spec: client-server API, "Relationships API" (v1.19). */
export const getRelatingEvents = endpoint({
  operationId: 'getRelatingEvents',
  method: 'GET',
  path: '/_matrix/client/v1/rooms/:roomId/relations/:eventId',
  aliases: ['/_matrix/client/unstable/rooms/:roomId/relations/:eventId'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: idField, eventId: idField }),
  query: RelationsQuery,
  handle: async (app: App, { requester, params, query }) =>
    new RawJson(await readRelations(app, requester, relationsRequest(params, query))),
});

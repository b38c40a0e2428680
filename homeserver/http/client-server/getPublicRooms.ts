import * as z from 'zod';
import { readPublicRooms } from '../../sync/public-rooms.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { checkOwnDirectory, MAX_PUBLIC_ROOMS, USUAL_PUBLIC_ROOMS } from './directory-fields.ts';
import { numberField } from './request-fields.ts';

const PublicRoomsQuery = z.object({
  limit: numberField(1, MAX_PUBLIC_ROOMS).default(USUAL_PUBLIC_ROOMS),
  since: z.string().max(512).optional(),
  server: z.string().max(255).optional(),
});

/** A page of this server's directory. Errors: M_INVALID_PARAM. Spec: client-server API, "Published room directory" (v1.19). */
export const getPublicRooms = endpoint({
  operationId: 'getPublicRooms',
  method: 'GET',
  path: '/_matrix/client/v3/publicRooms',
  aliases: ['/_matrix/client/r0/publicRooms'],
  auth: 'none',
  rateLimit: 'requestsPerUser',
  query: PublicRoomsQuery,
  handle: (app: App, { query }) => {
    checkOwnDirectory(app, query.server);
    const everything = { network: '', searchTerm: undefined, roomTypes: undefined };
    return readPublicRooms(app, { ...everything, limit: query.limit, since: query.since });
  },
});

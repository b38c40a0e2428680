import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { readPublicRooms } from '../../sync/public-rooms.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { checkOwnDirectory, MAX_PUBLIC_ROOMS, USUAL_PUBLIC_ROOMS } from './directory-fields.ts';

const DirectoryFilter = z.looseObject({
  generic_search_term: z.string().max(255).nullish(),
  room_types: z.array(z.string().max(255).nullable()).max(100).nullish(),
});

const QueryBody = z.looseObject({
  limit: z.int().min(1).default(USUAL_PUBLIC_ROOMS),
  since: z.string().max(512).nullish(),
  filter: DirectoryFilter.nullish(),
  include_all_networks: z.boolean().nullish(),
  third_party_instance_id: z.string().max(255).nullish(),
});

/** A page of this server's directory, filtered. Errors: M_INVALID_PARAM. Spec: client-server API, "Published room directory" (v1.19). */
export const queryPublicRooms = endpoint({
  operationId: 'queryPublicRooms',
  method: 'POST',
  path: '/_matrix/client/v3/publicRooms',
  aliases: ['/_matrix/client/r0/publicRooms'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  query: z.object({ server: z.string().max(255).optional() }),
  body: QueryBody,
  handle: (app: App, { query, body }) => {
    checkOwnDirectory(app, query.server);
    const term = body.filter?.generic_search_term ?? '';
    return readPublicRooms(app, {
      limit: Math.min(body.limit, MAX_PUBLIC_ROOMS),
      since: body.since ?? undefined,
      network: networkOf(body),
      searchTerm: term === '' ? undefined : term,
      roomTypes: body.filter?.room_types ?? undefined,
    });
  },
});

function networkOf(body: z.infer<typeof QueryBody>): string | undefined {
  if (body.include_all_networks !== true) return body.third_party_instance_id ?? '';
  if (body.third_party_instance_id === undefined || body.third_party_instance_id === null) return undefined;
  throw new MatrixError('M_INVALID_PARAM', 'third_party_instance_id: is not allowed with include_all_networks.');
}

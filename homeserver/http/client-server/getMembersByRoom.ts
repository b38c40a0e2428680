import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { readMembers } from '../../sync/members.ts';
import { MEMBERSHIP_NAMES } from '../../sync/membership.ts';
import { parsePoint } from '../../sync/position.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { RoomParams } from './request-fields.ts';

const MembersQuery = z.object({
  at: z.string().max(512).optional(),
  membership: z.enum(MEMBERSHIP_NAMES).optional(),
  not_membership: z.enum(MEMBERSHIP_NAMES).optional(),
});

/** The members of a room, now or at a point. Errors: M_FORBIDDEN, M_INVALID_PARAM. Spec: client-server API, `/members` (v1.19). */
export const getMembersByRoom = endpoint({
  operationId: 'getMembersByRoom',
  method: 'GET',
  path: '/_matrix/client/v3/rooms/:roomId/members',
  aliases: ['/_matrix/client/r0/rooms/:roomId/members'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RoomParams,
  query: MembersQuery,
  handle: async (app: App, { requester, large, params, query }) => {
    const at = query.at === undefined ? undefined : parsePoint(query.at);
    if (query.at !== undefined && at === undefined) {
      throw new MatrixError('M_INVALID_PARAM', 'at: must be a token of /sync or /messages.');
    }
    const { membership, not_membership: notMembership } = query;
    const asked = { roomId: params.roomId, at, membership, notMembership };
    return new RawJson(await readMembers(app, { ...requester, large }, asked));
  },
});

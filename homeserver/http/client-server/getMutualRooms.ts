import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { parseUserId } from '../../room/identifiers.ts';
import { selectMutualRooms } from '../../storage/room-reads/select-mutual-rooms.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

const PAGE = 100;

const MutualQuery = z.object({
  user_id: z.string().max(255),
  from: z
    .string()
    .regex(/^m\d{1,15}$/, 'a next_batch of an earlier answer is allowed')
    .optional(),
});

/**
 * Rooms that the caller and another user have both joined, 100 at a time in the order of becoming known to this server.
 * Errors: M_MISSING_PARAM, M_INVALID_PARAM. Spec: client-server API, "Mutual rooms" (v1.19).
 */
export const getMutualRooms = endpoint({
  operationId: 'getMutualRooms',
  method: 'GET',
  path: '/_matrix/client/v1/mutual_rooms',
  auth: 'user',
  rateLimit: 'requestsPerUser',
  query: MutualQuery,
  handle: async (app: App, { requester, query }) => {
    const { user_id: userId, from } = query;
    if (parseUserId(userId) === undefined) throw new MatrixError('M_INVALID_PARAM', 'user_id: is not a user id.');
    if (userId === requester.userId) throw new MatrixError('M_INVALID_PARAM', 'user_id: is your own.');
    const other = await app.store.names.findUserNo(userId);
    if (other === undefined) return { joined: [], count: 0 };
    const after = from === undefined ? 0 : Number(from.slice(1));
    const rows = await selectMutualRooms(app.store.db, { one: requester.userNo, other }, after, PAGE + 1);
    const page = rows.slice(0, PAGE);
    const last = rows.length > PAGE ? page.at(-1) : undefined;
    return {
      joined: page.map((row) => row.room_id),
      count: rows[0]?.total ?? 0,
      ...(last !== undefined && { next_batch: `m${last.room_no}` }),
    };
  },
});

import { readJoinedMembers } from '../../sync/members.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { RoomParams } from './request-fields.ts';

/** Profiles of the joined members. Errors: M_FORBIDDEN. Spec: client-server API, `/joined_members` (v1.19). */
export const getJoinedMembersByRoom = endpoint({
  operationId: 'getJoinedMembersByRoom',
  method: 'GET',
  path: '/_matrix/client/v3/rooms/:roomId/joined_members',
  aliases: ['/_matrix/client/r0/rooms/:roomId/joined_members'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: RoomParams,
  handle: async (app: App, { requester, large, params }) =>
    new RawJson(await readJoinedMembers(app, { ...requester, large }, params.roomId)),
});

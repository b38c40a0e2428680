import * as z from 'zod';
import { readRoomVisibility } from '../../rooms/room-visibility.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { knownRoomId } from './request-fields.ts';

/** Whether a room is in this server's directory. Errors: M_NOT_FOUND. Spec: client-server API, "Published room directory" (v1.19). */
export const getRoomVisibilityOnDirectory = endpoint({
  operationId: 'getRoomVisibilityOnDirectory',
  method: 'GET',
  path: '/_matrix/client/v3/directory/list/room/:roomId',
  aliases: ['/_matrix/client/r0/directory/list/room/:roomId'],
  auth: 'none',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: z.string() }),
  handle: async (app: App, { params }) => ({ visibility: await readRoomVisibility(app, knownRoomId(params.roomId)) }),
});

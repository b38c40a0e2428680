import * as z from 'zod';
import { roomIdOf } from '../../rooms/known-room.ts';
import { upgradeRoom as upgrade } from '../../rooms/upgrade-room.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

const UpgradeBody = z.looseObject({
  new_version: z.string().max(255),
  additional_creators: z.array(z.string()).max(100).default([]),
});

/**
 * Replace a room by one of another version. Errors: M_UNSUPPORTED_ROOM_VERSION, M_INVALID_PARAM (a creator is no user id), M_FORBIDDEN.
 * Spec: client-server API, "Room Upgrades" (v1.19).
 */
export const upgradeRoom = endpoint({
  operationId: 'upgradeRoom',
  method: 'POST',
  path: '/_matrix/client/v3/rooms/:roomId/upgrade',
  aliases: ['/_matrix/client/r0/rooms/:roomId/upgrade'],
  auth: 'user',
  rateLimit: 'roomCreationPerUser',
  params: z.object({ roomId: z.string() }),
  body: UpgradeBody,
  handle: async (app: App, { requester, params, body }) => ({
    replacement_room: await upgrade(app, requester, {
      roomId: roomIdOf(params.roomId),
      version: body.new_version,
      additionalCreators: body.additional_creators,
    }),
  }),
});

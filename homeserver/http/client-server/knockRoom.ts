import * as z from 'zod';
import { knockRoom as knock } from '../../rooms/knock-room.ts';
import { resolveRoom } from '../../rooms/resolve-room.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';
import { Reason, withReason } from '../json-content.ts';

/** Ask to be let into a room. Errors: M_INVALID_PARAM, M_NOT_FOUND, M_FORBIDDEN. Spec: client-server API, "Knocking on rooms" (v1.19). */
export const knockRoom = endpoint({
  operationId: 'knockRoom',
  method: 'POST',
  path: '/_matrix/client/v3/knock/:roomIdOrAlias',
  auth: 'user',
  rateLimit: 'joinsPerUser',
  params: z.object({ roomIdOrAlias: z.string() }),
  body: z.looseObject({ reason: Reason }),
  handle: async (app: App, { requester, params, body }) => {
    const roomId = await resolveRoom(app, params.roomIdOrAlias);
    await knock(app, requester, { roomId, ...withReason(body) });
    return { room_id: roomId };
  },
});

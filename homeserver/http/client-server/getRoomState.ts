import * as z from 'zod';
import { roomIdOf } from '../../rooms/known-room.ts';
import { readableState, readState } from '../../rooms/read-state.ts';
import { clientEventJson } from '../../sync/client-event.ts';
import { storedEvent } from '../../sync/stored-event.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';

/** All state events of a room. Errors: M_FORBIDDEN. Spec: client-server API, "Getting events for a room" (v1.19). */
export const getRoomState = endpoint({
  operationId: 'getRoomState',
  method: 'GET',
  path: '/_matrix/client/v3/rooms/:roomId/state',
  aliases: ['/_matrix/client/r0/rooms/:roomId/state'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: z.string() }),
  handle: async (app: App, { requester, params }) => {
    const state = await readableState(app, requester, roomIdOf(params.roomId));
    const view = { now: Date.now(), withRoomId: true };
    const events = (await readState(app, state)).map((row) => clientEventJson(storedEvent(row, state), view));
    return new RawJson(`[${events.join(',')}]`);
  },
});

import * as z from 'zod';
import { roomIdOf } from '../../rooms/known-room.ts';
import { readableState, readStateNumbers } from '../../rooms/read-state.ts';
import { clientEventJson } from '../../sync/client-event.ts';
import { EVENT_BYTES } from '../../sync/large-reads.ts';
import { eventParts } from '../../sync/read-events.ts';
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
  handle: async (app: App, { requester, large, params }) => {
    const state = await readableState(app, requester, roomIdOf(params.roomId));
    const view = { now: Date.now(), withRoomId: true };
    const numbers = await readStateNumbers(app, state);
    await large.take(numbers.length * EVENT_BYTES);
    const events: string[] = [];
    for await (const rows of eventParts(app.store, numbers))
      for (const row of rows) events.push(clientEventJson(storedEvent(row, state), view));
    return new RawJson(`[${events.join(',')}]`);
  },
});

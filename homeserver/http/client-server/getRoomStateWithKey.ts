import * as z from 'zod';
import { roomIdOf } from '../../rooms/known-room.ts';
import { readableState, readStateEvent } from '../../rooms/read-state.ts';
import { clientEventJson, eventContentJson } from '../../sync/client-event.ts';
import { storedEvent } from '../../sync/stored-event.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';

/**
 * The content of a state event, or with `format=event` the event. Errors: M_FORBIDDEN, M_NOT_FOUND.
 * Spec: client-server API, "Getting events for a room" (v1.19).
 */
export const getRoomStateWithKey = endpoint({
  operationId: 'getRoomStateWithKey',
  method: 'GET',
  path: '/_matrix/client/v3/rooms/:roomId/state/:eventType/:stateKey',
  aliases: [
    '/_matrix/client/v3/rooms/:roomId/state/:eventType',
    '/_matrix/client/v3/rooms/:roomId/state/:eventType/',
    '/_matrix/client/r0/rooms/:roomId/state/:eventType/:stateKey',
    '/_matrix/client/r0/rooms/:roomId/state/:eventType',
    '/_matrix/client/r0/rooms/:roomId/state/:eventType/',
  ],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  params: z.object({ roomId: z.string(), eventType: z.string(), stateKey: z.string().default('') }),
  query: z.looseObject({ format: z.enum(['content', 'event']).default('content') }),
  handle: async (app: App, { requester, params, query }) => {
    const state = await readableState(app, requester, roomIdOf(params.roomId));
    const row = await readStateEvent(app, state, { type: params.eventType, stateKey: params.stateKey });
    const event = storedEvent(row, state);
    if (query.format === 'content') return new RawJson(eventContentJson(event));
    return new RawJson(clientEventJson(event, { now: Date.now(), withRoomId: true }));
  },
});

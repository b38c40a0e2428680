import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { readEventStream } from '../../sync/event-stream.ts';
import { parsePoint } from '../../sync/position.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';
import { idField, numberField } from './request-fields.ts';

const EventsQuery = z.object({
  from: z.string().max(512).optional(),
  timeout: numberField(0, Number.MAX_SAFE_INTEGER).default(0),
  room_id: idField.optional(),
});

/**
 * New events of all rooms that the caller has joined, or (peekEvents) of one that they may look into, waiting for some if asked to;
 * deprecated. Errors: M_INVALID_PARAM, M_FORBIDDEN. Spec: client-server API, `/events` in both its forms (v1.19).
 */
export const getEvents = endpoint({
  operationId: 'getEvents',
  alsoServes: 'peekEvents',
  method: 'GET',
  path: '/_matrix/client/v3/events',
  aliases: ['/_matrix/client/r0/events'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  query: EventsQuery,
  handle: async (app: App, request) => {
    const { requester: reader, query } = request;
    const from = query.from === undefined ? undefined : parsePoint(query.from);
    if (query.from !== undefined && from === undefined) {
      throw new MatrixError('M_INVALID_PARAM', 'from: must be the end of an earlier answer.');
    }
    const timeoutMs = Math.min(query.timeout, app.config.sync.maxTimeoutMs);
    const session = app.tokens.watch(reader);
    try {
      const asked = { reader, from: from?.position, roomId: query.room_id };
      const text = await readEventStream(app, asked, timeoutMs, [request.signal, session.signal]);
      if (await session.isEnded()) throw new MatrixError('M_UNKNOWN_TOKEN');
      return new RawJson(text);
    } finally {
      session.stop();
    }
  },
});

import * as z from 'zod';
import { MatrixError } from '../../errors.ts';
import { parsePoint } from '../../sync/position.ts';
import type { TimelinePoint } from '../../sync/position.ts';
import type { RelationsRequest } from '../../sync/relations.ts';
import { booleanField, numberField } from './request-fields.ts';

const MAX_EVENTS = 500;

/** What the three forms of the relations endpoint have in common. */
export const RelationsQuery = z.object({
  from: z.string().max(512).optional(),
  to: z.string().max(512).optional(),
  dir: z.enum(['b', 'f']).default('b'),
  limit: numberField(1, MAX_EVENTS).default(50),
  recurse: booleanField.default(false),
});

interface RelationsParams {
  readonly roomId: string;
  readonly eventId: string;
  readonly relType?: string;
  readonly eventType?: string;
}

/** Errors: M_INVALID_PARAM for tokens of elsewhere. */
export function relationsRequest(params: RelationsParams, query: z.output<typeof RelationsQuery>): RelationsRequest {
  const point = query.from === undefined ? undefined : pointOf('from', query.from);
  return {
    roomId: params.roomId,
    eventId: params.eventId,
    relType: params.relType,
    eventType: params.eventType,
    from: point === undefined || query.from === undefined ? undefined : { point, token: query.from },
    to: query.to === undefined ? undefined : pointOf('to', query.to),
    backwards: query.dir === 'b',
    limit: query.limit,
    recurse: query.recurse,
  };
}

function pointOf(name: string, token: string): TimelinePoint {
  const point = parsePoint(token);
  if (point === undefined) throw new MatrixError('M_INVALID_PARAM', `${name}: must be a token of this server.`);
  return point;
}

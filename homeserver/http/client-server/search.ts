import * as z from 'zod';
import { SEARCH_KINDS } from '../../storage/tables/event_search.ts';
import { RoomEventFilter } from '../../sync/filter-schema.ts';
import { searchEvents } from '../../sync/search.ts';
import type { SearchRequest } from '../../sync/search-page.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';

const MAX_RESULTS = 100;
const MAX_CONTEXT = 20;

const KEYS = ['content.body', 'content.name', 'content.topic'] as const;

const KINDS_OF_KEYS = {
  'content.body': [SEARCH_KINDS.body],
  'content.name': [SEARCH_KINDS.name],
  'content.topic': [SEARCH_KINDS.topic, SEARCH_KINDS.bothTopics],
} as const satisfies Record<(typeof KEYS)[number], readonly number[]>;

const EventContext = z.looseObject({
  before_limit: z.int().min(0).default(5),
  after_limit: z.int().min(0).default(5),
  include_profile: z.boolean().default(false),
});

const RoomEvents = z.looseObject({
  search_term: z.string().max(1024),
  keys: z.array(z.enum(KEYS)).default([...KEYS]),
  filter: RoomEventFilter.optional(),
  order_by: z.enum(['rank', 'recent']).default('rank'),
  event_context: EventContext.optional(),
  include_state: z.boolean().default(false),
  groupings: z
    .looseObject({
      group_by: z
        .array(z.looseObject({ key: z.enum(['room_id', 'sender']) }))
        .max(2)
        .default([]),
    })
    .optional(),
});

/** Full text search. Errors: M_INVALID_PARAM. Spec: client-server API, "Server Side Search" (v1.19). */
export const search = endpoint({
  operationId: 'search',
  method: 'POST',
  path: '/_matrix/client/v3/search',
  aliases: ['/_matrix/client/r0/search'],
  auth: 'user',
  rateLimit: 'requestsPerUser',
  query: z.object({ next_batch: z.string().max(512).optional() }),
  body: z.looseObject({ search_categories: z.looseObject({ room_events: RoomEvents.optional() }) }),
  handle: async (app: App, { requester, large, query, body }) => {
    const asked = body.search_categories.room_events;
    if (asked === undefined) return { search_categories: {} };
    return new RawJson(await searchEvents(app, { ...requester, large }, requestOf(asked, query.next_batch)));
  },
});

function requestOf(asked: z.output<typeof RoomEvents>, from: string | undefined): SearchRequest {
  const { keys, event_context: context } = asked;
  return {
    term: asked.search_term.replaceAll('\0', ' '),
    kinds: keys.flatMap((key) => KINDS_OF_KEYS[key]),
    order: asked.order_by,
    filter: asked.filter ?? {},
    limit: Math.min(Math.max(asked.filter?.limit ?? 10, 1), MAX_RESULTS),
    from,
    context: context && {
      before: Math.min(context.before_limit, MAX_CONTEXT),
      after: Math.min(context.after_limit, MAX_CONTEXT),
      profiles: context.include_profile,
    },
    groupBy: asked.groupings?.group_by.map((group) => group.key) ?? [],
    includeState: asked.include_state,
  };
}

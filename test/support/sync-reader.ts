import * as z from 'zod';
import type { TestHomeserver } from './homeserver.ts';
import type { RoomClient } from './room-client.ts';

const SyncEvent = z.looseObject({
  type: z.string(),
  event_id: z.string().optional(),
  state_key: z.string().optional(),
  sender: z.string().optional(),
  content: z.looseObject({}),
  unsigned: z.looseObject({}).optional(),
});
export type SyncEvent = z.infer<typeof SyncEvent>;

const Events = z.object({ events: z.array(SyncEvent) });
const Timeline = z.object({ events: z.array(SyncEvent), limited: z.boolean(), prev_batch: z.string() });

const JoinedRoom = z.object({
  timeline: Timeline,
  state: Events.optional(),
  state_after: Events.optional(),
  account_data: Events,
  ephemeral: Events,
  summary: z.looseObject({}).optional(),
  unread_notifications: z.looseObject({ notification_count: z.number() }),
  unread_thread_notifications: z.record(z.string(), z.looseObject({ notification_count: z.number() })).optional(),
});
const LeftRoom = z.object({
  timeline: Timeline,
  state: Events.optional(),
  state_after: Events.optional(),
  account_data: Events,
});

const SyncAnswer = z.looseObject({
  next_batch: z.string(),
  rooms: z
    .object({
      join: z.record(z.string(), JoinedRoom).default({}),
      leave: z.record(z.string(), LeftRoom).default({}),
      invite: z.record(z.string(), z.object({ invite_state: Events })).default({}),
      knock: z.record(z.string(), z.object({ knock_state: Events })).default({}),
    })
    .default({ join: {}, leave: {}, invite: {}, knock: {} }),
  account_data: Events.default({ events: [] }),
  presence: Events.default({ events: [] }),
});
export type SyncAnswer = z.infer<typeof SyncAnswer>;

const MessagesAnswer = z.object({
  start: z.string(),
  end: z.string().optional(),
  chunk: z.array(SyncEvent),
  state: z.array(SyncEvent).default([]),
});

export interface SyncOptions {
  since?: string;
  timeout?: number;
  filter?: object | string;
  fullState?: boolean;
  useStateAfter?: boolean;
  setPresence?: 'online' | 'unavailable' | 'offline';
  replica?: number;
  signal?: AbortSignal;
}

/** One device that syncs and reads history; it remembers its token. */
export class SyncReader {
  readonly client: RoomClient;
  /** Token of the newest answer. */
  since: string | undefined;
  /** Laid under the options of each sync. */
  defaults: SyncOptions = {};
  readonly #server: TestHomeserver;

  constructor(server: TestHomeserver, client: RoomClient, defaults: SyncOptions = {}) {
    this.#server = server;
    this.client = client;
    this.defaults = defaults;
  }

  /** A sync from the remembered token on, unless `since` says otherwise. */
  async next(options: SyncOptions = {}): Promise<SyncAnswer> {
    const answer = await this.sync({ ...(this.since !== undefined && { since: this.since }), ...options });
    this.since = answer.next_batch;
    return answer;
  }

  /** A sync that leaves the remembered token alone. */
  async sync(options: SyncOptions = {}): Promise<SyncAnswer> {
    const { since, timeout, filter, fullState, useStateAfter, setPresence, replica, signal } = {
      ...this.defaults,
      ...options,
    };
    const query = new URLSearchParams();
    if (since !== undefined) query.set('since', since);
    if (timeout !== undefined) query.set('timeout', String(timeout));
    if (filter !== undefined) query.set('filter', typeof filter === 'string' ? filter : JSON.stringify(filter));
    if (fullState === true) query.set('full_state', 'true');
    if (setPresence !== undefined) query.set('set_presence', setPresence);
    if (useStateAfter === true) query.set('use_state_after', 'true');
    const answer = await this.#server.request('GET', `/_matrix/client/v3/sync?${query.toString()}`, {
      token: this.client.user.token,
      ...(replica !== undefined && { replica }),
      ...(signal !== undefined && { signal }),
    });
    if (answer.status !== 200) throw new Error(`sync answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return SyncAnswer.parse(answer.body);
  }

  async messages(roomId: string, query: Record<string, string>, replica?: number) {
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/messages?${new URLSearchParams(query).toString()}`;
    const answer = await this.#server.request('GET', path, {
      token: this.client.user.token,
      ...(replica !== undefined && { replica }),
    });
    if (answer.status !== 200) throw new Error(`messages answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return MessagesAnswer.parse(answer.body);
  }
}

/** The texts of the messages among events, in their order. */
export function bodiesOf(events: readonly SyncEvent[]): unknown[] {
  return events.filter((event) => event.type === 'm.room.message').map((event) => event.content['body']);
}

/** `type` or `type/state_key` of events, in their order. */
export function namesOf(events: readonly SyncEvent[]): string[] {
  return events.map((event) => (event.state_key === undefined ? event.type : `${event.type}/${event.state_key}`));
}

/** Compares texts for `toSorted`. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

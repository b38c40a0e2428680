import * as z from 'zod';
import type { StubbornClient } from './stubborn-client.ts';

const FireEvent = z.object({
  type: z.string(),
  event_id: z.string(),
  content: z.looseObject({ body: z.string().optional() }),
});
export type FireEvent = z.infer<typeof FireEvent>;

const Timeline = z.object({ events: z.array(FireEvent), limited: z.boolean(), prev_batch: z.string() });
const Sync = z.object({
  next_batch: z.string(),
  rooms: z.object({ join: z.record(z.string(), z.object({ timeline: Timeline })).default({}) }).default({ join: {} }),
});
const Messages = z.object({ end: z.string().optional(), chunk: z.array(FireEvent) });

const isWritten = (event: FireEvent) => event.type === 'm.room.message' || event.type === 'com.example.fire';

export interface ReaderOptions {
  token: string;
  /** Replica that is asked; undefined: another one each time. */
  home: number | undefined;
  timelineLimit: number;
}

/** One user who follows all rooms by sync and fills the gaps of limited timelines by paging back. */
export class Reader {
  /** Room -> what the writers wrote, in the order in which it came. */
  readonly rooms = new Map<string, FireEvent[]>();
  /** Gaps that were filled. */
  gaps = 0;
  readonly #client: StubbornClient;
  readonly #options: ReaderOptions;
  #since: string | undefined;
  #requests = 0;

  constructor(client: StubbornClient, options: ReaderOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** The sync from which the reader follows; nothing may have been written yet. */
  async begin(): Promise<void> {
    this.#since = (await this.#sync(0)).next_batch;
  }

  /** Follows until nothing comes any more after `isOver`. */
  async follow(isOver: () => boolean): Promise<void> {
    for (;;) {
      const last = isOver();
      const before = this.#since;
      const answer = await this.#sync(last ? 0 : 2000);
      for (const [roomId, { timeline }] of Object.entries(answer.rooms.join)) {
        const missed = timeline.limited ? await this.#pageBack(roomId, timeline.prev_batch, before) : [];
        const known = this.rooms.get(roomId) ?? [];
        known.push(...[...missed, ...timeline.events].filter(isWritten));
        this.rooms.set(roomId, known);
      }
      this.#since = answer.next_batch;
      if (last && Object.keys(answer.rooms.join).length === 0) return;
    }
  }

  /** All that was written to a room, oldest first, as the history has it at one replica. */
  history(roomId: string): Promise<FireEvent[]> {
    return this.#pageBack(roomId, undefined, undefined).then((events) => events.filter(isWritten));
  }

  async #pageBack(roomId: string, start: string | undefined, to: string | undefined): Promise<FireEvent[]> {
    if (to !== undefined) this.gaps += 1;
    const found: FireEvent[] = [];
    for (let from = start, first = true; first || from !== undefined; first = false) {
      const query = { dir: 'b', limit: '100', ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
      const path = `/rooms/${encodeURIComponent(roomId)}/messages?${new URLSearchParams(query).toString()}`;
      const page = Messages.parse(await this.#get(path));
      found.push(...page.chunk);
      from = page.chunk.length === 0 ? undefined : page.end;
    }
    return found.reverse();
  }

  async #sync(timeout: number): Promise<z.infer<typeof Sync>> {
    const filter = JSON.stringify({ room: { timeline: { limit: this.#options.timelineLimit } } });
    const query = { filter, timeout: String(timeout), ...(this.#since !== undefined && { since: this.#since }) };
    return Sync.parse(await this.#get(`/sync?${new URLSearchParams(query).toString()}`));
  }

  #get(path: string): Promise<unknown> {
    this.#requests += 1;
    const { token, home } = this.#options;
    return this.#client.request('GET', path, { token, at: home ?? this.#requests });
  }
}

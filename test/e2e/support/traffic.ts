import { setTimeout as pause } from 'node:timers/promises';
import { Agent, request } from 'undici';
import * as z from 'zod';
import { waitFor } from '../../support/wait-for.ts';

const Sent = z.looseObject({ event_id: z.string() });
const Synced = z.looseObject({
  next_batch: z.string(),
  rooms: z
    .looseObject({
      join: z
        .record(
          z.string(),
          z.looseObject({
            timeline: z.looseObject({ events: z.array(z.looseObject({ event_id: z.string(), type: z.string() })) }),
          }),
        )
        .optional(),
    })
    .optional(),
});

/** However late an answer comes, it has no gap. */
const FILTER = JSON.stringify({ room: { timeline: { limit: 1000 } } });

export interface Session {
  url: string;
  token: string;
  roomId: string;
}

export interface Outcome {
  lost: string[];
  doubled: string[];
  sent: number;
}

/**
 * Senders that talk without a break and a reader that follows by sync. A send that fails is tried again under its
 * transaction id until it is acknowledged, as clients do, so that what counts is loss and doubling.
 */
export class Traffic {
  readonly #session: Session;
  readonly #agent = new Agent({ connections: 16, headersTimeout: 20_000, bodyTimeout: 40_000 });
  readonly #acknowledged: string[] = [];
  readonly #seen: string[] = [];
  readonly #failures: string[] = [];
  readonly #run = `${Date.now()}`;
  #stopped = false;
  #sending: Promise<unknown> = Promise.resolve();
  #reading: Promise<unknown> = Promise.resolve();
  #readerStopped = false;
  #outcome: Promise<Outcome> | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Event ids that the server acknowledged so far. */
  get acknowledged(): readonly string[] {
    return this.#acknowledged;
  }

  /** What went wrong on the way, one line a failed request. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** `everyMs`: pause of a sender after each message. */
  async start(senders: number, everyMs = 20): Promise<void> {
    const since = await this.#sync(undefined);
    this.#reading = this.#read(since);
    this.#sending = Promise.all(Array.from({ length: senders }, (_, lane) => this.#send(lane, everyMs)));
  }

  /** Waits until `count` more messages have been acknowledged. */
  async flow(count: number): Promise<void> {
    const goal = this.#acknowledged.length + count;
    await waitFor(() => this.#acknowledged.length >= goal, {
      what: `${count} more acknowledged messages`,
      timeoutMs: 90_000,
    });
  }

  /** Ends the senders, waits until the reader has seen everything, and compares; the same when it is called again. */
  finish(): Promise<Outcome> {
    this.#outcome ??= this.#finish();
    return this.#outcome;
  }

  async #finish(): Promise<Outcome> {
    this.#stopped = true;
    await this.#sending;
    const missing = (): string[] => {
      const seen = new Set(this.#seen);
      return this.#acknowledged.filter((id) => !seen.has(id));
    };
    await waitFor(() => missing().length === 0, { what: 'the reader to see all messages', timeoutMs: 30_000 }).catch(
      () => false,
    );
    this.#readerStopped = true;
    await this.#reading;
    await this.#agent.close();
    const doubled = this.#seen.filter((id, i) => this.#seen.indexOf(id) !== i);
    return { lost: missing(), doubled, sent: this.#acknowledged.length };
  }

  async #send(lane: number, everyMs: number): Promise<void> {
    for (let n = 0; !this.#stopped; n += 1) {
      const id = await this.#sendOnce(`t${this.#run}-${lane}-${n}`, `message ${n} of sender ${lane}`);
      if (id !== undefined) this.#acknowledged.push(id);
      await pause(everyMs);
    }
  }

  /** One message, tried until it is acknowledged; undefined if the traffic ended first. */
  async #sendOnce(txnId: string, body: string): Promise<string | undefined> {
    const room = encodeURIComponent(this.#session.roomId);
    const path = `/_matrix/client/v3/rooms/${room}/send/m.room.message/${txnId}`;
    for (let attempt = 0; attempt < 600; attempt += 1) {
      const answer = await this.#call('PUT', path, { msgtype: 'm.text', body });
      if (answer !== undefined) return Sent.parse(answer).event_id;
      await pause(100);
    }
    throw new Error(`no answer to ${txnId} after 600 tries: ${this.#failures.at(-1) ?? ''}`);
  }

  async #read(first: string): Promise<void> {
    let since = first;
    while (!this.#readerStopped) since = await this.#sync(since);
  }

  async #sync(since: string | undefined): Promise<string> {
    const query = new URLSearchParams({ timeout: '1000', filter: FILTER, ...(since === undefined ? {} : { since }) });
    for (;;) {
      const json = await this.#call('GET', `/_matrix/client/v3/sync?${query.toString()}`);
      if (json === undefined) {
        if (this.#readerStopped) return since ?? '';
        await pause(100);
        continue;
      }
      const answer = Synced.parse(json);
      const room = answer.rooms?.join?.[this.#session.roomId];
      const events = since === undefined ? [] : (room?.timeline.events ?? []);
      this.#seen.push(...events.filter((e) => e.type === 'm.room.message').map((e) => e.event_id));
      return answer.next_batch;
    }
  }

  /** The answer's JSON, or undefined after writing down what failed. */
  async #call(method: 'GET' | 'PUT', path: string, body?: object): Promise<unknown> {
    const authorization = `Bearer ${this.#session.token}`;
    try {
      const answer = await request(`${this.#session.url}${path}`, {
        method,
        dispatcher: this.#agent,
        headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const json: unknown = await answer.body.json();
      if (answer.statusCode === 200) return json;
      this.#failures.push(`${method} ${answer.statusCode} ${JSON.stringify(json).slice(0, 200)}`);
    } catch (error) {
      this.#failures.push(`${method} ${error instanceof Error ? error.message : String(error)}`);
    }
    return undefined;
  }
}

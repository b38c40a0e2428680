import { randomBytes } from 'node:crypto';
import { Agent, request } from 'undici';
import * as z from 'zod';

const TIMEOUT_MS = 60_000;

const Registered = z.looseObject({ user_id: z.string(), access_token: z.string() });
const Challenge = z.looseObject({
  session: z.string(),
  flows: z.array(z.looseObject({ stages: z.array(z.string()) })),
});
const RoomCreated = z.looseObject({ room_id: z.string() });
const Sent = z.looseObject({ event_id: z.string() });
const Synced = z.looseObject({
  next_batch: z.string(),
  rooms: z
    .looseObject({
      join: z
        .record(
          z.string(),
          z.looseObject({ timeline: z.looseObject({ events: z.array(z.looseObject({ event_id: z.string() })) }) }),
        )
        .optional(),
    })
    .optional(),
});

export interface BenchUser {
  userId: string;
  token: string;
}

/** The few calls that the benchmark makes, over keep-alive connections, against any Matrix homeserver. */
export class MatrixClient {
  readonly #origin: string;
  readonly #token: string | undefined;
  readonly #agent = new Agent({ connections: 128, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
  #txn = 0;

  constructor(url: string, registrationToken?: string) {
    this.#origin = url.replace(/\/$/, '');
    this.#token = registrationToken;
  }

  async call(method: 'GET' | 'POST' | 'PUT', path: string, user?: BenchUser, body?: object): Promise<unknown> {
    const { status, json } = await this.#exchange(method, path, user, body);
    if (status !== 200) throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(json).slice(0, 300)}`);
    return json;
  }

  /** Reads an answer as bytes: the load must not cost more than what is measured. */
  async read(path: string, user: BenchUser): Promise<number> {
    const headers = { authorization: `Bearer ${user.token}` };
    const answer = await request(`${this.#origin}${path}`, { dispatcher: this.#agent, headers });
    const { byteLength } = await answer.body.arrayBuffer();
    if (answer.statusCode !== 200) throw new Error(`GET ${path} answered ${answer.statusCode}`);
    return byteLength;
  }

  async #exchange(method: 'GET' | 'POST' | 'PUT', path: string, user?: BenchUser, body?: object) {
    const answer = await request(`${this.#origin}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        ...(user === undefined ? {} : { authorization: `Bearer ${user.token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const json: unknown = await answer.body.json();
    return { status: answer.statusCode, json };
  }

  /** Registers a user of a random name through whatever simple flow the server offers. */
  async register(): Promise<BenchUser> {
    const path = '/_matrix/client/v3/register';
    const account = { username: `bench_${randomBytes(8).toString('hex')}`, password: randomBytes(12).toString('hex') };
    const first = await this.#exchange('POST', path, undefined, account);
    if (first.status !== 401) return this.#registered(first);
    const challenge = Challenge.parse(first.json);
    const auth = this.#answerTo(challenge);
    return this.#registered(await this.#exchange('POST', path, undefined, { ...account, auth }));
  }

  #answerTo(challenge: z.infer<typeof Challenge>): object {
    const offers = (stage: string) => challenge.flows.some((f) => f.stages.length === 1 && f.stages[0] === stage);
    if (offers('m.login.dummy')) return { type: 'm.login.dummy', session: challenge.session };
    if (this.#token !== undefined && offers('m.login.registration_token')) {
      return { type: 'm.login.registration_token', token: this.#token, session: challenge.session };
    }
    throw new Error(
      'the server offers no registration flow that this benchmark can pass: open it or give --registration-token',
    );
  }

  #registered(answer: { status: number; json: unknown }): BenchUser {
    if (answer.status !== 200)
      throw new Error(`registration answered ${answer.status}: ${JSON.stringify(answer.json)}`);
    const { user_id: userId, access_token: token } = Registered.parse(answer.json);
    return { userId, token };
  }

  async createRoom(user: BenchUser): Promise<string> {
    const body = { preset: 'public_chat', name: 'bench' };
    return RoomCreated.parse(await this.call('POST', '/_matrix/client/v3/createRoom', user, body)).room_id;
  }

  async join(user: BenchUser, room: string): Promise<void> {
    await this.call('POST', `/_matrix/client/v3/join/${encodeURIComponent(room)}`, user, {});
  }

  async send(user: BenchUser, room: string, text: string): Promise<string> {
    this.#txn += 1;
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/b${Date.now()}_${this.#txn}`;
    return Sent.parse(await this.call('PUT', path, user, { msgtype: 'm.text', body: text })).event_id;
  }

  /** One sync; gives the next token and the ids of all timeline events. */
  async sync(user: BenchUser, since: string | undefined, timeoutMs: number) {
    const query = new URLSearchParams({ timeout: String(timeoutMs), ...(since === undefined ? {} : { since }) });
    const answer = Synced.parse(await this.call('GET', `/_matrix/client/v3/sync?${query.toString()}`, user));
    const rooms = Object.values(answer.rooms?.join ?? {});
    return { next: answer.next_batch, eventIds: rooms.flatMap((room) => room.timeline.events.map((e) => e.event_id)) };
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}

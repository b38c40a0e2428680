import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { type Call, Connections } from './connections.ts';

const Registered = z.looseObject({ user_id: z.string(), access_token: z.string() });
const Challenge = z.looseObject({
  session: z.string(),
  flows: z.array(z.looseObject({ stages: z.array(z.string()) })),
});
const RoomCreated = z.object({ room_id: z.string() });
const Sent = z.object({ event_id: z.string() });

/** Of an answer of /sync: looked for in the text, since parsing all of it would cost the load as much as it costs the server. */
const NEXT_BATCH = /"next_batch": ?"([^"\\]+)"/;
const EVENT_ID = /"event_id": ?"([^"\\]+)"/g;

export interface BenchUser {
  userId: string;
  token: string;
}

type Method = Call['method'];

/** The few calls that the benchmark makes, over keep-alive connections, against any Matrix homeserver. */
export class MatrixClient {
  readonly #connections: Connections;
  readonly #token: string | undefined;
  #txn = 0;

  constructor(url: string, registrationToken?: string) {
    this.#connections = new Connections(url);
    this.#token = registrationToken;
  }

  /** Reads an answer and gives its length. */
  async read(path: string, user: BenchUser): Promise<number> {
    const answer = await this.#connections.call({ method: 'GET', path, token: user.token, wantsBody: false });
    if (answer.status !== 200) throw new Error(`GET ${path} answered ${answer.status}`);
    return answer.length;
  }

  async #call(method: Method, path: string, user: BenchUser, body?: object): Promise<string> {
    const { status, text } = await this.#exchange(method, path, user, body);
    if (status !== 200) throw new Error(`${method} ${path} answered ${status}: ${text.slice(0, 300)}`);
    return text;
  }

  async #exchange(method: Method, path: string, user?: BenchUser, body?: object) {
    const json = body === undefined ? undefined : JSON.stringify(body);
    const call = { method, path, token: user?.token, body: json, wantsBody: true };
    const answer = await this.#connections.call(call);
    return { status: answer.status, text: answer.body.toString() };
  }

  /** Registers a user of a random name through whatever simple flow the server offers. */
  async register(): Promise<BenchUser> {
    const path = '/_matrix/client/v3/register';
    const account = { username: `bench_${randomBytes(8).toString('hex')}`, password: randomBytes(12).toString('hex') };
    const first = await this.#exchange('POST', path, undefined, account);
    if (first.status !== 401) return this.#registered(first);
    const challenge = Challenge.parse(JSON.parse(first.text));
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

  #registered({ status, text }: { status: number; text: string }): BenchUser {
    if (status !== 200) throw new Error(`registration answered ${status}: ${text}`);
    const { user_id: userId, access_token: token } = Registered.parse(JSON.parse(text));
    return { userId, token };
  }

  async createRoom(user: BenchUser): Promise<string> {
    const body = { preset: 'public_chat', name: 'bench' };
    return RoomCreated.parse(JSON.parse(await this.#call('POST', '/_matrix/client/v3/createRoom', user, body))).room_id;
  }

  async join(user: BenchUser, room: string): Promise<void> {
    await this.#call('POST', `/_matrix/client/v3/join/${encodeURIComponent(room)}`, user, {});
  }

  async send(user: BenchUser, room: string, text: string): Promise<string> {
    this.#txn += 1;
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/b${Date.now()}_${this.#txn}`;
    return Sent.parse(JSON.parse(await this.#call('PUT', path, user, { msgtype: 'm.text', body: text }))).event_id;
  }

  /** One sync; gives the next token and the ids of all events. */
  async sync(user: BenchUser, since: string | undefined, timeoutMs: number) {
    const from = since === undefined ? '' : `&since=${encodeURIComponent(since)}`;
    const text = await this.#call('GET', `/_matrix/client/v3/sync?timeout=${timeoutMs}${from}`, user);
    const next = NEXT_BATCH.exec(text)?.[1];
    if (next === undefined) throw new Error(`an answer of /sync without next_batch: ${text.slice(0, 300)}`);
    return { next, eventIds: Array.from(text.matchAll(EVENT_ID), ([, id]) => id ?? '') };
  }

  close(): void {
    this.#connections.close();
  }
}

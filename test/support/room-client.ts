import * as z from 'zod';
import type { Answer, TestHomeserver, TestUser } from './homeserver.ts';

const CLIENT = '/_matrix/client/v3';

const EventIdAnswer = z.looseObject({ event_id: z.string() });
const RoomIdAnswer = z.looseObject({ room_id: z.string() });
const StateEvent = z.looseObject({
  type: z.string(),
  state_key: z.string(),
  sender: z.string(),
  event_id: z.string(),
  content: z.looseObject({}),
});
export type StateEvent = z.infer<typeof StateEvent>;

let transactions = 0;

/** What one user does to rooms, over HTTP. Methods that give a value fail unless answered with 200; the others give the answer. */
export class RoomClient {
  readonly user: TestUser;
  readonly #server: TestHomeserver;
  readonly #replica: number | undefined;

  constructor(server: TestHomeserver, user: TestUser, replica?: number) {
    this.#server = server;
    this.user = user;
    this.#replica = replica;
  }

  get userId(): string {
    return this.user.userId;
  }

  /** The same user at another replica. */
  at(replica: number): RoomClient {
    return new RoomClient(this.#server, this.user, replica);
  }

  /** `path` below /_matrix/client/v3, or a whole one. */
  request(method: string, path: string, body?: unknown): Promise<Answer> {
    const options = {
      token: this.user.token,
      ...(this.#replica !== undefined && { replica: this.#replica }),
      ...(body !== undefined && { body }),
    };
    return this.#server.request(method, path.startsWith('/_matrix/') ? path : CLIENT + path, options);
  }

  /** The body of an answer that must be 200. */
  async get(path: string): Promise<unknown> {
    return good(await this.request('GET', path));
  }

  async createRoom(body: object = {}): Promise<string> {
    return RoomIdAnswer.parse(good(await this.request('POST', '/createRoom', body))).room_id;
  }

  tryCreate(body: object): Promise<Answer> {
    return this.request('POST', '/createRoom', body);
  }

  join(roomIdOrAlias: string, body: object = {}): Promise<Answer> {
    return this.request('POST', `/join/${encodeURIComponent(roomIdOrAlias)}`, body);
  }

  /** One of invite, kick, ban, unban, leave, forget, join. */
  act(verb: string, roomId: string, body: object = {}): Promise<Answer> {
    return this.request('POST', `/rooms/${encodeURIComponent(roomId)}/${verb}`, body);
  }

  trySend(roomId: string, content: object, options: { type?: string; txnId?: string } = {}): Promise<Answer> {
    const { type = 'm.room.message', txnId = newTxnId() } = options;
    return this.request(
      'PUT',
      `/rooms/${encodeURIComponent(roomId)}/send/${type}/${encodeURIComponent(txnId)}`,
      content,
    );
  }

  async send(roomId: string, body: string, txnId?: string): Promise<string> {
    const options = txnId === undefined ? {} : { txnId };
    return eventIdOf(await this.trySend(roomId, { msgtype: 'm.text', body }, options));
  }

  setState(roomId: string, type: string, content: object, stateKey = ''): Promise<Answer> {
    return this.request('PUT', statePath(roomId, type, stateKey), content);
  }

  getState(roomId: string, type: string, stateKey = ''): Promise<Answer> {
    return this.request('GET', statePath(roomId, type, stateKey));
  }

  redact(roomId: string, eventId: string, body: object = {}): Promise<Answer> {
    const path = `/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(eventId)}/${newTxnId()}`;
    return this.request('PUT', path, body);
  }

  async state(roomId: string): Promise<StateEvent[]> {
    return z.array(StateEvent).parse(good(await this.request('GET', `/rooms/${encodeURIComponent(roomId)}/state`)));
  }

  /** The membership of a user, or undefined when there is none. */
  async membershipOf(roomId: string, userId: string): Promise<unknown> {
    const answer = await this.getState(roomId, 'm.room.member', userId);
    return answer.status === 200 ? z.looseObject({ membership: z.string() }).parse(answer.body).membership : undefined;
  }
}

/** A client for a new user. */
export async function newClient(server: TestHomeserver, localpart?: string): Promise<RoomClient> {
  return new RoomClient(server, await server.register(localpart));
}

export function eventIdOf(answer: Answer): string {
  return EventIdAnswer.parse(good(answer)).event_id;
}

export function newTxnId(): string {
  transactions += 1;
  return `txn${transactions}`;
}

function good(answer: Answer): unknown {
  if (answer.status === 200) return answer.body;
  throw new Error(`answered ${answer.status}: ${JSON.stringify(answer.body)}`);
}

function statePath(roomId: string, type: string, stateKey: string): string {
  return `/rooms/${encodeURIComponent(roomId)}/state/${encodeURIComponent(type)}/${encodeURIComponent(stateKey)}`;
}

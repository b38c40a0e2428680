import * as z from 'zod';
import type { StubbornClient } from './stubborn-client.ts';

/** An event whose sender was told that it is there. */
export interface Acknowledged {
  roomId: string;
  eventId: string;
  /** Undefined for state, which has no transaction id: sent again it may be there twice. */
  body: string | undefined;
}

const Sent = z.object({ event_id: z.string() });

const LONGEST_PAUSE_MS = 300;

/** One user who writes to rooms in turn, each time at another replica. */
export class Writer {
  readonly acknowledged: Acknowledged[] = [];
  readonly #client: StubbornClient;
  readonly #token: string;
  readonly #number: number;
  readonly #rooms: readonly string[];

  constructor(client: StubbornClient, user: { token: string; number: number }, rooms: readonly string[]) {
    this.#client = client;
    this.#token = user.token;
    this.#number = user.number;
    this.#rooms = rooms;
  }

  /** Writes until `isOver`, and until the last event is acknowledged. */
  async run(isOver: () => boolean): Promise<void> {
    for (let i = 0; !isOver(); i += 1) {
      const roomId = this.#rooms[i % this.#rooms.length] ?? '';
      if (i % 12 === 11) await this.#setState(roomId, i);
      else if (i % 6 === 5) await this.#sendTwice(roomId, i);
      else await this.#send(roomId, i, i);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_PAUSE_MS));
    }
  }

  async #send(roomId: string, i: number, at: number): Promise<string> {
    const body = `${this.#number}/${i}`;
    const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/txn${i}`;
    const content = { msgtype: 'm.text', body };
    const eventId = await this.#put(path, content, at + this.#number);
    this.acknowledged.push({ roomId, eventId, body });
    return eventId;
  }

  /** As a client does that lost its patience: the same transaction at two replicas at once. */
  async #sendTwice(roomId: string, i: number): Promise<void> {
    const [one, other] = await Promise.all([this.#send(roomId, i, i), this.#send(roomId, i, i + 1)]);
    if (one !== other) this.#client.faults.push(`transaction txn${i} of ${this.#number} made two events`);
  }

  async #setState(roomId: string, i: number): Promise<void> {
    const path = `/rooms/${encodeURIComponent(roomId)}/state/com.example.fire/${this.#number}`;
    const eventId = await this.#put(path, { i }, i + this.#number);
    this.acknowledged.push({ roomId, eventId, body: undefined });
  }

  async #put(path: string, body: object, at: number): Promise<string> {
    return Sent.parse(await this.#client.request('PUT', path, { token: this.#token, body, at })).event_id;
  }
}

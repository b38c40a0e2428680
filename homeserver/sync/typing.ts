import * as z from 'zod';
import { parsePlainJson } from '../room/strict-json.ts';
import type { CommitFeed } from '../storage/write-batch.ts';
import type { VolatileSerial } from './volatile-serial.ts';

/** Longest time, in ms, for which a user counts as typing without saying so again. */
export const MAX_TYPING_MS = 120_000;

/**
 * For how long a room in which nobody types any more is still told to devices that come from another replica, in ms: longer
 * than any poll, so that they learn that typing has stopped.
 */
const REMEMBER_MS = 600_000;

const LOOK_EVERY_MS = 250;

const MAX_ROOMS = 10_000;
const MAX_USERS_PER_ROOM = 200;
/** In all rooms, about 100 bytes each. */
const MAX_USERS = 50_000;

interface TypingRoom {
  /** User id -> monotonic time at which the typing ends. */
  readonly users: Map<string, number>;
  serial: number;
  changedAt: number;
}

/** Who types in a room now; empty when the last one has stopped. */
export interface TypingRoomUsers {
  readonly roomNo: number;
  readonly userIds: readonly string[];
}

const TypingMessage = z.object({
  kind: z.literal('typing'),
  room: z.int(),
  user: z.string().max(255),
  /** 0: stopped. */
  ms: z.int().min(0).max(MAX_TYPING_MS),
});

/**
 * Who types where, in memory only; replicas tell each other over the volatile channel. Each change gets the next serial
 * number of this replica.
 */
export class Typing {
  readonly #rooms = new Map<number, TypingRoom>();
  readonly #feed: CommitFeed;
  readonly #changed: (roomNo: number) => void;
  readonly #remove: (() => void)[];
  readonly #serial: VolatileSerial;
  /** Number of the newest change. */
  #newest = 0;
  #users = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(feed: CommitFeed, serial: VolatileSerial, changed: (roomNo: number) => void) {
    this.#feed = feed;
    this.#serial = serial;
    this.#changed = changed;
    this.#remove = [
      feed.onVolatile((message) => this.#onMessage(message)),
      // After a failover the numbers of lost rooms may be given to others.
      feed.onReset(() => {
        this.#rooms.clear();
        this.#users = 0;
      }),
    ];
  }

  /** Sets or clears (0) a user's typing here and on all other replicas. */
  set(roomNo: number, userId: string, forMs: number): void {
    const ms = Math.min(Math.max(0, Math.trunc(forMs)), MAX_TYPING_MS);
    this.#apply(roomNo, userId, ms);
    this.#feed.publishVolatile(JSON.stringify({ kind: 'typing', room: roomNo, user: userId, ms }));
  }

  /** Rooms among `rooms` whose typing users changed after `serial`, with the users who type now. */
  changesSince(rooms: ReadonlySet<number>, serial: number): TypingRoomUsers[] {
    if (serial >= this.#newest) return [];
    const found = [...this.#rooms].filter(([roomNo, room]) => room.serial > serial && rooms.has(roomNo));
    return found.map(([roomNo, room]) => ({ roomNo, userIds: [...room.users.keys()] }));
  }

  /** Whether `changesSince` would give anything. */
  hasChangedSince(rooms: ReadonlySet<number>, serial: number): boolean {
    return serial < this.#newest && this.changesSince(rooms, serial).length > 0;
  }

  close(): void {
    for (const remove of this.#remove) remove();
    clearInterval(this.#timer);
  }

  #onMessage(text: string): void {
    const message = parseMessage(text);
    if (message !== undefined) this.#apply(message.room, message.user, message.ms);
  }

  #apply(roomNo: number, userId: string, ms: number): void {
    const room = this.#rooms.get(roomNo) ?? (ms === 0 ? undefined : this.#addRoom(roomNo));
    if (room === undefined) return;
    const known = room.users.has(userId);
    if (ms === 0) room.users.delete(userId);
    else if (known || (room.users.size < MAX_USERS_PER_ROOM && this.#users < MAX_USERS))
      room.users.set(userId, performance.now() + ms);
    if (known === room.users.has(userId)) return;
    this.#users += known ? -1 : 1;
    this.#touch(roomNo, room);
  }

  #addRoom(roomNo: number): TypingRoom | undefined {
    if (this.#rooms.size >= MAX_ROOMS) return undefined;
    const room: TypingRoom = { users: new Map(), serial: 0, changedAt: performance.now() };
    this.#rooms.set(roomNo, room);
    // One timer for all, running only while there is something to forget.
    this.#timer ??= setInterval(() => this.#expire(), LOOK_EVERY_MS).unref();
    return room;
  }

  #touch(roomNo: number, room: TypingRoom): void {
    this.#newest = this.#serial.next();
    room.serial = this.#newest;
    room.changedAt = performance.now();
    this.#changed(roomNo);
  }

  #expire(): void {
    const now = performance.now();
    for (const [roomNo, room] of this.#rooms) {
      const over = [...room.users].filter(([, until]) => until <= now);
      for (const [userId] of over) room.users.delete(userId);
      this.#users -= over.length;
      if (over.length > 0) this.#touch(roomNo, room);
      else if (room.users.size === 0 && room.changedAt + REMEMBER_MS <= now) this.#rooms.delete(roomNo);
    }
    if (this.#rooms.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function parseMessage(text: string): z.infer<typeof TypingMessage> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const parsed = TypingMessage.safeParse(parsePlainJson(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

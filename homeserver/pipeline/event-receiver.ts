import { tryAgainLater } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { EventId, RoomId } from '../room/identifiers.ts';
import { ROOM_VERSIONS } from '../room/room-versions.ts';
import type { BoundedCache } from '../bounded-cache.ts';
import { selectRoomsById } from '../storage/tables/rooms.ts';
import type { Batcher } from './batcher.ts';
import { MAX_TRIES, newWaiting } from './intent.ts';
import type { JudgeParts } from './judge-received.ts';
import { Reception, type PlacedEvent } from './receive-event.ts';
import type { ResolvedRoom } from './resolve-state.ts';
import type { RoomHeads } from './room-heads.ts';
import type { ReceivedOutcome, ReceivedPdu, RoomReceiver } from './room-receiver.ts';
import { storeOutliers } from './store-outliers.ts';
import { UnknownRoom } from './unknown-room.ts';

/** Rooms whose number and version are kept: about 200 bytes each. */
const MAX_ROOMS = 10_000;

export interface EventReceiverParts extends JudgeParts {
  readonly batcher: Pick<Batcher, 'enqueue'>;
  readonly heads: Pick<RoomHeads, 'generation'>;
  readonly metrics: Pick<Metrics, 'eventsReceived'>;
}

type NamedRoom = ResolvedRoom & { readonly roomId: RoomId };

/** Takes in what other servers send, the events of a room one after the other: each is judged on what the last has made of it. */
export class EventReceiver implements RoomReceiver {
  readonly #parts: EventReceiverParts;
  readonly #rooms: BoundedCache<RoomId, NamedRoom>;
  /** Settles when the newest event of the room that is under way is done. */
  readonly #last = new Map<RoomId, Promise<unknown>>();
  readonly #unsubscribe: () => void;

  constructor(parts: EventReceiverParts) {
    this.#parts = parts;
    this.#rooms = parts.store.caches.bounded('received_rooms', { entries: MAX_ROOMS, weigh: () => 200 });
    this.#unsubscribe = parts.store.feed.onReset(() => {
      this.#rooms.clear();
    });
  }

  close(): void {
    this.#unsubscribe();
  }

  async receive(roomId: RoomId, pdu: ReceivedPdu): Promise<ReceivedOutcome> {
    const { deadline } = newWaiting();
    const before = this.#last.get(roomId) ?? Promise.resolve();
    const mine = before.then(() => this.#receive(roomId, pdu, deadline));
    const settled = mine.catch(() => undefined);
    this.#last.set(roomId, settled);
    try {
      const outcome = await mine;
      this.#parts.metrics.eventsReceived.inc({ outcome: outcome.outcome });
      return outcome;
    } finally {
      if (this.#last.get(roomId) === settled) this.#last.delete(roomId);
    }
  }

  async storeOutliers(roomId: RoomId, pdus: readonly ReceivedPdu[]): Promise<readonly EventId[]> {
    return storeOutliers(this.#parts.store, await this.#room(roomId), pdus);
  }

  async #receive(roomId: RoomId, pdu: ReceivedPdu, deadline: number): Promise<ReceivedOutcome> {
    const { heads } = this.#parts;
    let generation = -1;
    let reception: Reception | undefined;
    for (let tries = 0; tries < MAX_TRIES && performance.now() < deadline; tries += 1) {
      // What was looked up before a failover may be about numbers that are others' now.
      if (reception === undefined || generation !== heads.generation) {
        generation = heads.generation;
        reception = new Reception(this.#parts, await this.#room(roomId), pdu);
      }
      const attempt = await reception.attempt();
      if ('done' in attempt) return attempt.done;
      if (attempt.placed === undefined) continue;
      const written = await this.#write({ roomId, placed: attempt.placed, generation, deadline });
      if (written !== undefined) return { outcome: 'accepted', position: written.position };
    }
    throw tryAgainLater('The room keeps changing: try again later.');
  }

  #write(work: {
    roomId: RoomId;
    placed: PlacedEvent;
    generation: number;
    deadline: number;
  }): Promise<{ position: number } | undefined> {
    return new Promise((resolve, reject) => {
      this.#parts.batcher.enqueue({ kind: 'receive', ...work, tries: 0, alone: false, resolve, reject });
    });
  }

  async #room(roomId: RoomId): Promise<NamedRoom> {
    const known = this.#rooms.get(roomId);
    if (known !== undefined) return known;
    const [row] = await selectRoomsById(this.#parts.store.db, [roomId]);
    if (row === undefined) throw new UnknownRoom();
    const rules = ROOM_VERSIONS.get(String(row.version));
    if (rules === undefined) throw new Error(`room ${row.room_no} is stored with the unknown version ${row.version}`);
    const room = { roomId, roomNo: row.room_no, rules };
    this.#rooms.set(roomId, room);
    return room;
  }
}

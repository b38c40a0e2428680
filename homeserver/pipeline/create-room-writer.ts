import { randomBytes } from 'node:crypto';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import { MatrixError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RoomEvent } from '../room/event-format.ts';
import { parseRoomId, type EventId, type RoomId } from '../room/identifiers.ts';
import { ROOM_VERSIONS, type RoomVersionRules } from '../room/room-versions.ts';
import type { Store } from '../storage/store.ts';
import type { StreamWrite } from '../storage/write-batch.ts';
import { AuthChainIndex } from './auth-chain-index.ts';
import { Batcher } from './batcher.ts';
import { EventReceiver } from './event-receiver.ts';
import { newWaiting, type CreateIntent, type RoomIntent, type StreamIntent } from './intent.ts';
import type { Keyring } from './keyring.ts';
import { MAX_BATCH_EVENTS } from './place-intent.ts';
import { numberDraft } from './prepare-intent.ts';
import { ResolutionPool } from './resolution-pool.ts';
import { StateResolver } from './resolve-state.ts';
import { stateKeyText } from './room-head.ts';
import { RoomHeads } from './room-heads.ts';
import type { ReceivedOutcome, ReceivedPdu, RoomReceiver } from './room-receiver.ts';
import type { CreatedRoom, EventDraft, RoomWriter, SentEvent } from './room-writer.ts';
import { OwnDataChanges } from './own-data-changes.ts';
import type { StreamWriter, WrittenStreams } from './stream-writer.ts';

const MAX_SEND_ALL = 64;
/** Writes of one `writeStreams` call. */
const MAX_STREAM_WRITES = 100;

export interface RoomWriterOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly config: HomeserverConfig;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** The pipeline of one replica. `close` lets nothing more in and resolves when all that was let in is settled. */
export function createRoomWriter(
  options: RoomWriterOptions,
): RoomWriter & RoomReceiver & StreamWriter & { close(): Promise<void> } {
  return new Pipeline(options);
}

class Pipeline implements RoomWriter, RoomReceiver, StreamWriter {
  readonly #store: Store;
  readonly #keyring: Keyring;
  readonly #heads: RoomHeads;
  readonly #batcher: Batcher;
  readonly #index: AuthChainIndex;
  readonly #pool: ResolutionPool;
  readonly #receiver: EventReceiver;
  /** Sends with a transaction id that are under way: a repeated one waits for the first. */
  readonly #sending = new Map<string, Promise<SentEvent>>();
  readonly #ownData: OwnDataChanges;

  constructor({ store, keyring, log, metrics }: RoomWriterOptions) {
    this.#store = store;
    this.#keyring = keyring;
    this.#heads = new RoomHeads(store);
    this.#ownData = new OwnDataChanges(store, (writes) => this.writeStreams(writes));
    this.#batcher = new Batcher({
      store,
      keyring,
      heads: this.#heads,
      log: log.child({ component: 'pipeline' }),
      metrics,
    });
    this.#index = new AuthChainIndex(store);
    // Its threads start with the first conflict that is worth one and end when there is none for a while.
    this.#pool = new ResolutionPool();
    const resolver = new StateResolver({
      store,
      index: this.#index,
      pool: this.#pool,
      seconds: metrics.resolutionSeconds,
    });
    this.#receiver = new EventReceiver({ store, resolver, batcher: this.#batcher, heads: this.#heads, metrics });
  }

  async receive(roomId: RoomId, pdu: ReceivedPdu): Promise<ReceivedOutcome> {
    return this.#counted(() => this.#receiver.receive(roomId, pdu));
  }

  async storeOutliers(roomId: RoomId, pdus: readonly ReceivedPdu[]): Promise<readonly EventId[]> {
    return this.#counted(() => this.#receiver.storeOutliers(roomId, pdus));
  }

  async send(roomId: RoomId, draft: EventDraft): Promise<SentEvent> {
    const { transaction } = draft;
    if (transaction === undefined) return this.#sendOne(roomId, draft);
    const key = JSON.stringify([transaction.deviceNo, roomId, draft.type, transaction.txnId]);
    const underWay = this.#sending.get(key);
    if (underWay !== undefined) return underWay;
    const sending = this.#sendOne(roomId, draft).finally(() => this.#sending.delete(key));
    this.#sending.set(key, sending);
    return sending;
  }

  async #sendOne(roomId: RoomId, draft: EventDraft): Promise<SentEvent> {
    const [sent] = await this.#sendDrafts(roomId, [draft]);
    if (sent === undefined) throw new Error('a sent event is missing from its answer');
    return sent;
  }

  async sendAll(roomId: RoomId, drafts: readonly EventDraft[]): Promise<readonly SentEvent[]> {
    if (drafts.length > MAX_SEND_ALL) throw new RangeError(`at most ${MAX_SEND_ALL} events can be sent at once`);
    if (drafts.some((draft) => draft.transaction !== undefined)) {
      throw new TypeError('a transaction stands for one event: use send');
    }
    return drafts.length === 0 ? [] : this.#sendDrafts(roomId, drafts);
  }

  async #sendDrafts(roomId: RoomId, drafts: readonly EventDraft[]): Promise<readonly SentEvent[]> {
    return this.#counted(async () => {
      const numbered = await Promise.all(drafts.map((draft) => numberDraft(this.#store.names, draft)));
      const changesState = drafts.some((draft) => draft.stateKey !== undefined);
      return new Promise<readonly SentEvent[]>((resolve, reject) => {
        const waiting = { ...newWaiting(), resolve, reject };
        const intent: RoomIntent = {
          kind: 'room',
          roomId,
          drafts: numbered,
          needs: [],
          changesState,
          fresh: false,
          ...waiting,
        };
        this.#batcher.prepare(intent).catch(reject);
      });
    });
  }

  async create(version: string, drafts: readonly EventDraft[], roomNo?: number): Promise<CreatedRoom> {
    const rules = ROOM_VERSIONS.get(version);
    if (rules === undefined) throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION');
    if (drafts.length > MAX_BATCH_EVENTS) throw new MatrixError('M_TOO_LARGE', 'The room begins with too many events.');
    return this.#counted(async () => {
      const numbered = await Promise.all(drafts.map((draft) => numberDraft(this.#store.names, draft)));
      const number = roomNo ?? (await this.#store.numbers.nextRoomNo());
      return new Promise<CreatedRoom>((resolve, reject) => {
        const waiting = { ...newWaiting(), resolve, reject };
        const roomId = this.#newRoomId(rules);
        const intent: CreateIntent = { kind: 'create', rules, roomNo: number, roomId, drafts: numbered, ...waiting };
        this.#batcher.enqueue(intent);
      });
    });
  }

  knownCreate(roomId: RoomId): RoomEvent | undefined {
    return this.#heads.usable(roomId)?.state.get(stateKeyText('m.room.create', ''))?.event;
  }

  /** Room versions from 12 on take the id from the create event. */
  #newRoomId(rules: RoomVersionRules): RoomId | undefined {
    if (rules.roomIdFormat === 'create-event-hash') return undefined;
    return parseRoomId(`!${randomBytes(18).toString('base64url')}:${this.#keyring.serverName}`);
  }

  changeOwnData(...change: Parameters<OwnDataChanges['change']>): Promise<void> {
    return this.#ownData.change(...change);
  }

  async writeStreams(writes: readonly StreamWrite[]): Promise<WrittenStreams> {
    if (writes.length > MAX_STREAM_WRITES)
      throw new RangeError(`at most ${MAX_STREAM_WRITES} changes can be written at once`);
    if (writes.length === 0) return { position: this.#store.feed.seen, refused: false };
    return this.#counted(
      async () =>
        new Promise<WrittenStreams>((resolve, reject) => {
          const intent: StreamIntent = { kind: 'stream', writes, ...newWaiting(), resolve, reject };
          this.#batcher.enqueue(intent);
        }),
    );
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    this.#batcher.enter();
    try {
      return await work();
    } finally {
      this.#batcher.leave();
    }
  }

  async close(): Promise<void> {
    await this.#batcher.close();
    await this.#pool.close();
    this.#receiver.close();
    this.#index.close();
    this.#heads.close();
  }
}

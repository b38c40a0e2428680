import { MatrixError, tryAgainLater } from '../errors.ts';
import type { Logger } from '../log.ts';
import { background } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RoomId } from '../room/identifiers.ts';
import type { Store } from '../storage/store.ts';
import type { BuildContext } from './build-event.ts';
import { formBatch, type FormedBatch } from './form-batch.ts';
import { MAX_TRIES, type Intent, type RoomIntent } from './intent.ts';
import { IntentQueue } from './intent-queue.ts';
import type { Keyring } from './keyring.ts';
import { randomEventId } from './random-event-id.ts';
import { prepareIntent } from './prepare-intent.ts';
import type { RoomHeads } from './room-heads.ts';
import { MAX_BATCH_EVENTS } from './place-intent.ts';
import { settleBatch } from './settle-batch.ts';
import { standingTransaction } from './standing-transaction.ts';
import { UnknownRoom } from './unknown-room.ts';

/** Intents that may wait at once; at 256 events a batch this is the work of 16 batches. */
const MAX_OPEN = 4096;

export interface BatcherOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly heads: RoomHeads;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/**
 * One loop per replica: while something waits, form a batch on the heads known now, write it, settle it. One batch is in flight at a
 * time, so the next is formed on what the last has committed and a room's events make a straight line.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #queue = new IntentQueue();
  #open = 0;
  #running = false;
  #closed = false;
  #lastCreateTs = 0;
  #idle: (() => void)[] = [];

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Counts an intent in until `leave`; refused with M_LIMIT_EXCEEDED when too many wait, M_UNKNOWN when closing. */
  enter(): void {
    if (this.#closed) throw tryAgainLater('The server is shutting down.');
    if (this.#open >= MAX_OPEN) {
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many events are waiting to be written.', {
        fields: { retry_after_ms: 1000 },
        headers: { 'Retry-After': '1' },
      });
    }
    this.#open += 1;
    this.#options.metrics.intentsPending.set(this.#open);
  }

  leave(): void {
    this.#open -= 1;
    this.#options.metrics.intentsPending.set(this.#open);
    if (this.#open > 0) return;
    for (const wake of this.#idle.splice(0)) wake();
  }

  /** Loads what an intent needs of its room and queues it. */
  async prepare(intent: RoomIntent): Promise<void> {
    try {
      intent.tries += 1;
      if (intent.tries > MAX_TRIES) throw tooBusy();
      const known = await prepareIntent(this.#options.heads, intent);
      if (!known) throw new UnknownRoom();
      const standing = intent.fresh ? await standingTransaction(this.#options.store, intent) : undefined;
      if (standing !== undefined) intent.resolve([standing]);
      else this.enqueue(intent);
    } catch (error) {
      intent.reject(error);
    }
  }

  enqueue(intent: Intent): void {
    if (intent.kind === 'room' && intent.tries > 1) this.#queue.pushFirst(intent);
    else this.#queue.push(intent);
    this.#wake();
  }

  async #again(intent: Intent): Promise<void> {
    if (intent.kind === 'room') {
      await this.prepare(intent);
      return;
    }
    intent.tries += 1;
    if (intent.tries > MAX_TRIES) intent.reject(tooBusy());
    else this.enqueue(intent);
  }

  /** Lets no more in and waits until all that wait is settled. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#open === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Not at once: requests that arrived in the same turn of the event loop share the batch. */
  #wake(): void {
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => {
      background(this.#run(), this.#options.log, 'write batches');
    });
  }

  async #run(): Promise<void> {
    try {
      while (this.#queue.size > 0) await this.#round();
    } catch (error) {
      for (const intent of this.#queue.takeAll()) intent.reject(error);
      if (!(error instanceof MatrixError)) throw error;
    } finally {
      this.#running = false;
    }
  }

  async #round(): Promise<void> {
    const { store, heads, log } = this.#options;
    await store.numbers.reserve(MAX_BATCH_EVENTS);
    await store.replica.confirmSigning();
    const batch = formBatch(this.#queue, heads, this.#context());
    for (const intent of batch.unprepared) background(this.prepare(intent), log, 'prepare intent');
    if (batch.events > 0) await this.#write(batch);
  }

  #context(): BuildContext {
    const { keyring, store } = this.#options;
    const now = Date.now();
    const nextCreateTs = () => {
      this.#lastCreateTs = Math.max(now, this.#lastCreateTs + 1);
      return this.#lastCreateTs;
    };
    const { serverName } = keyring;
    const newEventId = () => randomEventId(serverName);
    return { serverName, key: keyring.active(), numbers: store.numbers, now, nextCreateTs, newEventId };
  }

  async #write(batch: FormedBatch): Promise<void> {
    const { store, heads, metrics, log } = this.#options;
    store.replica.noteSigned(batch.keyId, Date.now());
    const settled = Promise.withResolvers<void>();
    const built = batch.rooms.filter((room) => !room.isNew).flatMap((room) => room.roomId ?? []);
    const held = [...built, ...batch.received.map(({ roomId }) => roomId)];
    for (const roomId of held) heads.hold(roomId, settled.promise);
    const stop = metrics.batchSeconds.startTimer();
    let again: readonly Intent[] = [];
    try {
      const result = await store.batches.write(batch.input).catch((error: unknown) => ({ error }));
      if ('error' in result) again = this.#refused(batch, held, result.error);
      else again = settleBatch(batch, result, this.#options).map(({ intent }) => intent);
    } catch (error) {
      // It may have been written: what is not settled is not tried again.
      for (const intent of intentsOf(batch)) intent.reject(error);
      for (const roomId of held) heads.drop(roomId);
    } finally {
      stop();
      for (const roomId of held) heads.release(roomId);
      settled.resolve();
    }
    for (const intent of again) background(this.#again(intent), log, 'build again');
  }

  /**
   * Nothing was written. A database that is away is answered to all. One that refuses a row has refused all that shared the batch:
   * each is tried once more, alone, and what fails then is answered the fault.
   */
  #refused(batch: FormedBatch, held: readonly RoomId[], error: unknown): Intent[] {
    for (const roomId of held) this.#options.heads.drop(roomId);
    const intents = intentsOf(batch);
    const isFinal = (intent: Intent) => intent.alone || error instanceof MatrixError;
    for (const intent of intents) if (isFinal(intent)) intent.reject(error);
    const again = intents.filter((intent) => !isFinal(intent));
    if (again.length === 0) return [];
    this.#options.log.error(
      { err: error, count: again.length },
      'the database refused a batch: each write is tried alone',
    );
    for (const intent of again) intent.alone = true;
    return again;
  }
}

function intentsOf(batch: FormedBatch): Intent[] {
  return [...batch.placed.map(({ intent }) => intent), ...batch.streams, ...batch.received];
}

function tooBusy(): MatrixError {
  return tryAgainLater('The room keeps changing: try again later.');
}

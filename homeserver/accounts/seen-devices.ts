import { background } from '../log.ts';
import type { Logger } from '../log.ts';
import type { BoundedCache } from '../bounded-cache.ts';
import type { Database } from '../storage/database.ts';
import type { Store } from '../storage/store.ts';
import { updateDevicesSeen } from '../storage/tables/devices.ts';
import type { SeenDevice } from '../storage/tables/devices.ts';

/** A device is written down at most this often, ms: clients are told the time to some minutes. */
const EVERY_MS = 5 * 60 * 1000;
const FLUSH_MS = 10_000;
/** Devices remembered, about 3 MB; one that falls out is written down once more. */
const MAX_RECENT = 50_000;
/** Rows of one statement; more wait for the next. */
const MAX_FLUSH = 1000;
const MAX_PENDING = 20_000;

/** Notes when and from where each device was last used; what a crash loses is some minutes of that. */
export class SeenDevices {
  readonly #db: Database;
  readonly #log: Logger;
  readonly #recent: BoundedCache<number, number>;
  readonly #pending = new Map<number, SeenDevice>();
  readonly #timer: NodeJS.Timeout;
  readonly #removeReset: () => void;

  constructor(store: Pick<Store, 'db' | 'caches' | 'feed'>, log: Logger) {
    this.#db = store.db;
    this.#recent = store.caches.bounded('seen_devices', { entries: MAX_RECENT, weigh: () => 60 });
    this.#log = log;
    this.#removeReset = store.feed.onReset(() => {
      this.#recent.clear();
    });
    this.#timer = setInterval(() => {
      background(this.flush(), this.#log, 'note seen devices');
    }, FLUSH_MS);
    this.#timer.unref();
  }

  note(deviceNo: number, address: string): void {
    const at = Date.now();
    if (at - (this.#recent.get(deviceNo) ?? 0) < EVERY_MS) return;
    // More than a flush can keep up with wait for their next use.
    if (this.#pending.size >= MAX_PENDING && !this.#pending.has(deviceNo)) return;
    this.#recent.set(deviceNo, at);
    this.#pending.set(deviceNo, { deviceNo, at, address });
  }

  /** Writes what is pending; what cannot be written now is dropped, the next use of the device brings it back. */
  async flush(): Promise<void> {
    const seen = [...this.#pending.values()].slice(0, MAX_FLUSH);
    if (seen.length === 0) return;
    for (const { deviceNo } of seen) this.#pending.delete(deviceNo);
    try {
      await updateDevicesSeen(this.#db, seen);
    } catch (error) {
      for (const { deviceNo } of seen) this.#recent.delete(deviceNo);
      throw error;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#removeReset();
    await this.flush().catch((err: unknown) => {
      this.#log.warn({ err }, 'the last uses of devices were not noted');
    });
  }
}

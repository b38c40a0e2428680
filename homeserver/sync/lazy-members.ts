import type { CacheFigures } from '../metrics.ts';

/** Where a device stands: it has everything from `began` (its initial sync) up to `since`. */
export interface SyncedSpan {
  readonly began: number;
  readonly since: number;
}

export interface RoomMember {
  readonly roomNo: number;
  readonly userNo: number;
}

interface Device {
  /** `<roomNo>/<userNo>` -> position of the answer with which the membership event arrived. */
  readonly arrived: Map<string, number>;
  /** Position of an answer that may not have arrived -> what it holds. */
  readonly sent: Map<number, Set<string>>;
}

const MAX_ENTRIES = 50_000;
const ENTRY_BYTES = 100;

/** Answers to one device of which it is not known whether they arrived. */
const MAX_ON_THE_WAY = 8;

/**
 * Membership events given to devices that load members lazily, so that they are not sent again with each event. An answer
 * may be lost on its way: what it held counts only once the device comes back with the token of that answer.
 * Spec: client-server API, "Lazy-loading room members": redundant ones may be sent, so forgetting is harmless.
 */
export class LazyMembers {
  readonly #devices = new Map<number, Device>();
  #entries = 0;
  #hits = 0;
  #misses = 0;

  /** After a failover the numbers of lost rooms and users may be given to others. */
  clear(): void {
    this.#devices.clear();
    this.#entries = 0;
  }

  figures(): CacheFigures {
    return { entries: this.#entries, bytes: this.#entries * ENTRY_BYTES, hits: this.#hits, misses: this.#misses };
  }

  /** The device has come back with the token of the answer at `since`; earlier ones that it has not named were lost. */
  noteArrival(deviceNo: number, since: number): void {
    const device = this.#devices.get(deviceNo);
    if (device === undefined) return;
    for (const key of device.sent.get(since) ?? []) this.#add(device, key, since);
    // A later answer stays: the device may be asking again although that answer is still on its way.
    for (const at of device.sent.keys()) if (at <= since) this.#forget(device, at);
    if (device.arrived.size + device.sent.size === 0) this.#devices.delete(deviceNo);
  }

  /** Whether the device has the user's membership event; later changes reach it as events. */
  hasArrived(deviceNo: number, member: RoomMember, span: SyncedSpan): boolean {
    const at = this.#devices.get(deviceNo)?.arrived.get(keyOf(member));
    const has = at !== undefined && at >= span.began && at <= span.since;
    if (has) this.#hits += 1;
    else this.#misses += 1;
    return has;
  }

  /** Notes what the answer that leads to position `at` holds. */
  noteSent(deviceNo: number, member: RoomMember, at: number): void {
    const device: Device = this.#devices.get(deviceNo) ?? { arrived: new Map(), sent: new Map() };
    // The device used last stands last, so that the one unused for longest is dropped first.
    this.#devices.delete(deviceNo);
    this.#devices.set(deviceNo, device);
    const keys = device.sent.get(at) ?? new Set<string>();
    device.sent.set(at, keys);
    if (device.sent.size > MAX_ON_THE_WAY) this.#forget(device, Math.min(...device.sent.keys()));
    const before = keys.size;
    keys.add(keyOf(member));
    this.#entries += keys.size - before;
    if (this.#entries > MAX_ENTRIES) this.#dropOldest();
  }

  #add(device: Device, key: string, at: number): void {
    if (!device.arrived.has(key)) this.#entries += 1;
    device.arrived.set(key, at);
  }

  #forget(device: Device, at: number): void {
    this.#entries -= device.sent.get(at)?.size ?? 0;
    device.sent.delete(at);
  }

  #dropOldest(): void {
    for (const [deviceNo, device] of this.#devices) {
      this.#devices.delete(deviceNo);
      this.#entries -= device.arrived.size;
      for (const keys of device.sent.values()) this.#entries -= keys.size;
      return;
    }
  }
}

function keyOf(member: RoomMember): string {
  return `${member.roomNo}/${member.userNo}`;
}

/** What a user is to others. Spec: client-server API, "Presence" (v1.19). */
export type PresenceName = 'online' | 'unavailable' | 'offline';

/** A device that counts; one that is silent or hides does not. */
export interface PresenceDevice {
  readonly deviceNo: number;
  readonly declared: 'online' | 'unavailable';
  /** Unix ms up to which it counts without being heard of. */
  readonly until: number;
}

/** Everything that decides what others are told of a user. */
export interface Presence {
  readonly state: PresenceName;
  readonly statusMsg: string | null;
  /** Unix ms; 0: never. */
  readonly lastActiveAt: number;
  readonly currentlyActive: boolean;
  readonly devices: readonly PresenceDevice[];
}

/**
 * Something heard of a user: a sync (`forMs`: how long it counts), a state that was set, or something done (a message sent).
 * A sync that hides is not heard of at all.
 */
export type Observation =
  | { kind: 'sync'; deviceNo: number; declared: 'online' | 'unavailable'; forMs: number }
  | { kind: 'set'; deviceNo: number; declared: PresenceName; statusMsg: string | null; forMs: number }
  | { kind: 'active'; deviceNo: number };

/** Without activity for so long a user counts as idle, ms; the figure of the specification. */
const IDLE_MS = 300_000;
/** For how long after activity others are told that the user is active, ms. */
const ACTIVE_MS = 60_000;
/** Devices that count at once; the one that would be forgotten first falls out. */
const MAX_DEVICES = 32;

export const OFFLINE: Presence = {
  state: 'offline',
  statusMsg: null,
  lastActiveAt: 0,
  currentlyActive: false,
  devices: [],
};

/** The presence after an observation. */
export function observe(before: Presence, seen: Observation, now: number): Presence {
  switch (seen.kind) {
    case 'sync': {
      // "Changing presence state to online" is something that the user does; going on with it is not.
      const known = before.devices.find((device) => device.deviceNo === seen.deviceNo && device.until > now);
      const lastActiveAt = seen.declared === 'online' && known?.declared !== 'online' ? now : before.lastActiveAt;
      return settle({ ...before, lastActiveAt, devices: withDevice(before, seen, now) }, now);
    }
    case 'set': {
      const { statusMsg } = seen;
      return settle({ ...before, statusMsg, lastActiveAt: now, devices: withDevice(before, seen, now) }, now);
    }
    case 'active': {
      const devices = before.devices.map((device): PresenceDevice => ({ ...device, declared: 'online' }));
      return settle({ ...before, lastActiveAt: now, devices }, now);
    }
  }
}

function withDevice(
  before: Presence,
  seen: { deviceNo: number; declared: PresenceName; forMs: number },
  now: number,
): PresenceDevice[] {
  const { deviceNo, declared, forMs } = seen;
  const others = before.devices.filter((device) => device.deviceNo !== deviceNo);
  if (declared === 'offline') return others;
  const lasting = others.toSorted((a, b) => b.until - a.until).slice(0, MAX_DEVICES - 1);
  return [{ deviceNo, declared, until: now + forMs }, ...lasting];
}

/** What time alone makes of it: silent devices are gone, and who does nothing for long is idle. */
export function settle(before: Presence, now: number): Presence {
  const devices = before.devices.filter((device) => device.until > now);
  const state = stateOf(devices, now - before.lastActiveAt);
  const currentlyActive = state === 'online' && now - before.lastActiveAt < ACTIVE_MS;
  return { ...before, devices, state, currentlyActive };
}

function stateOf(devices: readonly PresenceDevice[], idleMs: number): PresenceName {
  if (devices.length === 0) return 'offline';
  const online = devices.some((device) => device.declared === 'online') && idleMs < IDLE_MS;
  return online ? 'online' : 'unavailable';
}

/** Unix ms at which `settle` would change it; undefined: never. */
export function dueAt({ state, currentlyActive, lastActiveAt, devices }: Presence): number | undefined {
  const times = devices.map((device) => device.until);
  if (state === 'online') times.push(lastActiveAt + IDLE_MS);
  if (currentlyActive) times.push(lastActiveAt + ACTIVE_MS);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Whether others are told the same of both; the time of the last activity alone is not worth an update. */
export function looksTheSame(one: Presence, other: Presence): boolean {
  return (
    one.state === other.state && one.statusMsg === other.statusMsg && one.currentlyActive === other.currentlyActive
  );
}

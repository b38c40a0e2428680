import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dueAt, looksTheSame, type Observation, observe, OFFLINE, type Presence, settle } from './presence-state.ts';

const MINUTE = 60_000;
const T = 1_700_000_000_000;

const sync = (deviceNo: number, declared: 'online' | 'unavailable' = 'online', forMs = 10 * MINUTE): Observation => ({
  kind: 'sync',
  deviceNo,
  declared,
  forMs,
});
const set = (deviceNo: number, declared: 'online' | 'unavailable' | 'offline', statusMsg: string | null = null) =>
  ({ kind: 'set', deviceNo, declared, statusMsg, forMs: 10 * MINUTE }) as const;
const active = (deviceNo: number): Observation => ({ kind: 'active', deviceNo });

const told = ({ state, currentlyActive }: Presence) => (currentlyActive ? `${state} and active` : state);

test('who begins to sync is online and active, for a minute', () => {
  const online = observe(OFFLINE, sync(1), T);
  expect(told(online)).toBe('online and active');
  expect(dueAt(online)).toBe(T + MINUTE);
  expect(told(settle(online, T + MINUTE))).toBe('online');
});

test('who only syncs is idle after five minutes and stays so', () => {
  const online = observe(OFFLINE, sync(1), T);
  expect(told(settle(online, T + 5 * MINUTE - 1))).toBe('online');
  const idle = settle(online, T + 5 * MINUTE);
  expect(told(idle)).toBe('unavailable');
  expect(told(observe(idle, sync(1), T + 6 * MINUTE))).toBe('unavailable');
});

test('something done makes an idle user online, also one who said to be away', () => {
  const idle = settle(observe(OFFLINE, sync(1), T), T + 6 * MINUTE);
  expect(told(observe(idle, active(1), T + 7 * MINUTE))).toBe('online and active');
  const away = observe(OFFLINE, set(1, 'unavailable'), T);
  expect(told(away)).toBe('unavailable');
  expect(told(observe(away, active(2), T + 1))).toBe('online and active');
});

test('who is silent is offline once no device counts any more', () => {
  const online = observe(OFFLINE, sync(1, 'online', 90_000), T);
  expect(told(settle(online, T + 89_999))).toBe('online');
  const gone = settle(online, T + 90_000);
  expect(told(gone)).toBe('offline');
  expect(dueAt(gone)).toBeUndefined();
  expect(told(observe(gone, sync(1), T + 10 * MINUTE))).toBe('online and active');
});

test('one device that is online makes the user online', () => {
  const both = observe(observe(OFFLINE, sync(1), T), sync(2, 'unavailable'), T);
  expect(told(both)).toBe('online and active');
  expect(told(observe(both, set(1, 'offline'), T))).toBe('unavailable');
});

test('what is done without any device that counts does not show, but the time of it does', () => {
  const hidden = observe(OFFLINE, active(1), T);
  expect(told(hidden)).toBe('offline');
  expect(hidden.lastActiveAt).toBe(T);
});

test('setting a state sets the message and counts as activity, whatever the state', () => {
  const away = observe(observe(OFFLINE, sync(1), T), set(1, 'unavailable', 'at lunch'), T + 1000);
  expect(away).toMatchObject({ state: 'unavailable', statusMsg: 'at lunch', lastActiveAt: T + 1000 });
  expect(observe(away, set(1, 'online'), T + 2000).statusMsg).toBeNull();
});

test('a sync that says online again after the user has set another state is a change', () => {
  const away = observe(OFFLINE, set(1, 'unavailable'), T);
  expect(told(observe(away, sync(1), T + 6 * MINUTE))).toBe('online and active');
});

test('the devices of one user are bounded', () => {
  const many = Array.from({ length: 100 }, (_, i) => sync(i)).reduce<Presence>(
    (at, seen) => observe(at, seen, T),
    OFFLINE,
  );
  expect(many.devices).toHaveLength(32);
  expect(many.devices[0]?.deviceNo).toBe(99);
});

const observations = fc.array(
  fc.record({
    after: fc.integer({ min: 0, max: 8 * MINUTE }),
    seen: fc.oneof(
      fc.record({
        kind: fc.constant('sync' as const),
        deviceNo: fc.integer({ min: 1, max: 3 }),
        declared: fc.constantFrom('online' as const, 'unavailable' as const),
        forMs: fc.integer({ min: 1, max: 10 * MINUTE }),
      }),
      fc.record({
        kind: fc.constant('set' as const),
        deviceNo: fc.integer({ min: 1, max: 3 }),
        declared: fc.constantFrom('online' as const, 'unavailable' as const, 'offline' as const),
        statusMsg: fc.constantFrom(null, 'hello'),
        forMs: fc.integer({ min: 1, max: 10 * MINUTE }),
      }),
      fc.record({ kind: fc.constant('active' as const), deviceNo: fc.integer({ min: 1, max: 3 }) }),
    ),
  }),
  { maxLength: 20 },
);

test('nothing changes before it is due, and it changes when it is', () => {
  fc.assert(
    fc.property(observations, (steps) => {
      let now = T;
      let presence = OFFLINE;
      for (const { after, seen } of steps) {
        now += after;
        presence = observe(presence, seen, now);
        const due = dueAt(presence) ?? now + 1000;
        expect(due).toBeGreaterThan(now);
        const before = settle(presence, due - 1);
        expect([looksTheSame(before, presence), before.devices]).toEqual([true, presence.devices]);
        expect(dueAt(settle(presence, due)) ?? due + 1).toBeGreaterThan(due);
      }
    }),
  );
});

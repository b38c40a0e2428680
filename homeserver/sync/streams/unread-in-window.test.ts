import { expect, test } from 'vitest';
import type { MembershipRow } from '../../storage/sync-reads/select-changes.ts';
import type { TimelineRow } from '../../storage/sync-reads/select-timeline.ts';
import { pointAt } from '../position.ts';
import { unreadInWindow } from './unread-in-window.ts';

const REDACTION = 9;

const room: MembershipRow = {
  room_no: 1,
  room_id: '!room:one',
  version: 12,
  membership: 1,
  flags: 0,
  position: 5,
  event_no: 5,
  last_position: 0,
  snapshot: 1,
  joined: 3,
  invited: 0,
  reads_position: 5,
  base: null,
};

const event = (position: number, more: Partial<TimelineRow> = {}, content: object = {}): TimelineRow => ({
  room_no: 1,
  event_no: position,
  anchor: position,
  position,
  sender_no: 2,
  type_no: 3,
  state_key_no: null,
  state_before: 1,
  state_after: 1,
  ts: 0,
  flags: 96,
  event_id: `$${position}`,
  json: JSON.stringify({ content }),
  because_id: null,
  because_json: null,
  because_ts: null,
  txn_id: null,
  txn_device: null,
  related: false,
  ...more,
});

const relates = (rel_type: string) => ({ 'm.relates_to': { rel_type, event_id: '$root' } });

interface Case {
  readonly events: readonly TimelineRow[];
  readonly countedTo?: number;
  readonly low?: number;
  readonly limited?: boolean;
  readonly row?: Partial<MembershipRow>;
  readonly changedAt?: number;
}

function found({ events, countedTo = 10, low = 10, limited = false, row = {}, changedAt = 0 }: Case) {
  const start = pointAt((events[0]?.anchor ?? low + 1) - 1);
  const told = { row: { ...room, ...row }, low: pointAt(low), window: { events, scanned: events, limited, start } };
  const before = { countedTo, unread: new Map(), sinceStored: 0 };
  return unreadInWindow(told, { before, changedAt, redaction: REDACTION })?.events;
}

test('what is newer than the remembered count is taken from the window, by thread', () => {
  const redacted = event(13, { because_id: '$because' });
  const events = [event(10), event(11), event(12, {}, relates('m.thread')), redacted];
  const kind = { senderNo: 2, typeNo: 3, flags: 96 };
  expect(found({ events, low: 8 })?.kinds).toEqual([
    { ...kind, thread: 'main', anchors: [11], eventNos: [11] },
    { ...kind, thread: '$root', anchors: [12], eventNos: [12] },
  ]);
  expect(found({ events, low: 8 })?.countAfter(0)).toBe(3);
  const count = (given: Case) => found(given)?.countAfter(0);
  expect(count({ events: [event(11, {}, { 'm.relates_to': { 'm.in_reply_to': {} } })] })).toBe(1);
  expect(count({ events: [] })).toBe(0);
  expect(count({ events: [event(9), event(11)], low: 2, limited: true })).toBe(1);
});

const cases: { name: string; given: Case }[] = [
  { name: 'an own receipt or the join is newer than the count', given: { events: [], row: { reads_position: 11 } } },
  { name: 'the push rules or the ignored users are newer than the count', given: { events: [], changedAt: 11 } },
  { name: 'there is a gap', given: { events: [event(20)], limited: true } },
  { name: 'the window begins behind the count', given: { events: [event(20)], low: 15 } },
  { name: 'something was redacted', given: { events: [event(11, { type_no: REDACTION })] } },
  { name: 'an event may be in the thread of another one', given: { events: [event(11, {}, relates('m.annotation'))] } },
];

test.for(cases)('nothing is taken from the window when $name', ({ given }) => {
  expect(found(given)).toBeUndefined();
});

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { clientEventJson } from '../../homeserver/sync/client-event.ts';
import { jsonMembers } from '../../homeserver/sync/json-members.ts';
import { printRows, row, writeRows } from './support/rows.ts';
import { quantile } from './support/stats.ts';

const WARM_UP = 20_000;
const SAMPLES = 2_000;
/** Calls in one sample: a single call of under a microsecond is less than the clock can tell. */
const CALLS = 20;

const json = JSON.stringify({
  auth_events: ['$'.padEnd(44, 'a'), '$'.padEnd(44, 'b'), '$'.padEnd(44, 'c')],
  content: { body: 'The quick brown fox jumps over the lazy dog, again and again. '.repeat(3), msgtype: 'm.text' },
  depth: 1234,
  hashes: { sha256: 'x'.repeat(43) },
  origin_server_ts: 1_700_000_000_000,
  prev_events: ['$'.padEnd(44, 'd')],
  room_id: '!'.padEnd(44, 'r'),
  sender: '@alice:example.org',
  signatures: { 'example.org': { 'ed25519:1': 's'.repeat(86) } },
  type: 'm.room.message',
});
const event = { eventId: '$'.padEnd(44, 'e'), roomId: '!'.padEnd(44, 'r'), json, originServerTs: 1_700_000_000_000 };
const view = { now: 1_700_000_001_000, withRoomId: false, membership: 'join' };

/** What it is measured against: reading the whole event and writing it again. */
function readAndWrite(): string {
  const pdu: unknown = JSON.parse(json);
  if (typeof pdu !== 'object' || pdu === null) throw new Error('not an object');
  const dropped = { auth_events: undefined, prev_events: undefined, hashes: undefined, signatures: undefined };
  return JSON.stringify({ ...pdu, ...dropped, depth: undefined, room_id: undefined, event_id: event.eventId });
}

const paths: [name: string, call: () => unknown][] = [
  ['clientEventJson', () => clientEventJson(event, view)],
  ['jsonMembers', () => jsonMembers(json)],
  ['JSON.parse and JSON.stringify', readAndWrite],
];

/** Microseconds of one call, as the mean of each sample. */
function measure(call: () => unknown): number[] {
  for (let i = 0; i < WARM_UP; i += 1) call();
  return Array.from({ length: SAMPLES }, () => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i += 1) call();
    return Number(process.hrtime.bigint() - start) / 1000 / CALLS;
  });
}

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const rows = paths.flatMap(([name, call]) => {
  const samples = measure(call);
  return [row(`${name}, p50`, quantile(samples, 0.5), 'µs'), row(`${name}, p99`, quantile(samples, 0.99), 'µs')];
});
process.stdout.write(`Node ${process.version}, ${availableParallelism()} cores, event of ${json.length} bytes\n`);
printRows(rows);
writeRows(values.json, rows);

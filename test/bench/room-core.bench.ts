import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { checkEvent } from '../../homeserver/room/auth/check-event.ts';
import { canonicalJson } from '../../homeserver/room/canonical-json.ts';
import { parsePdu, roomEventOf, type UnsignedPdu } from '../../homeserver/room/event-format.ts';
import { finishPdu, signingKeyFromSeed, verifyJson } from '../../homeserver/room/event-signature.ts';
import { isJsonObject, type JsonObject } from '../../homeserver/room/json-value.ts';
import { redact } from '../../homeserver/room/redaction.ts';
import { parseStrictJson } from '../../homeserver/room/strict-json.ts';
import { eventId, rulesOf, serverName, storyRoomId, storyState, tell, userId } from '../support/room-story.ts';
import { resolve } from '../../homeserver/room/state-resolution/resolve.ts';
import { forkedRoom } from './support/large-room.ts';
import { printRows, row, writeRows } from './support/rows.ts';
import { quantile } from './support/stats.ts';

const WARM_UP = 20_000;
const SAMPLES = 2_000;
/** Calls in one sample: a single call of under a microsecond is less than the clock can tell. */
const CALLS = 20;

const rules = rulesOf('12');
const key = signingKeyFromSeed('ed25519:bench', new Uint8Array(32).fill(1));
const server = serverName('one');
const id = (n: number) => eventId(`$${String(n).padStart(43, 'x')}`);

const pdu: UnsignedPdu = {
  type: 'm.room.message',
  sender: userId('@alice:one'),
  room_id: storyRoomId(rules),
  content: { msgtype: 'm.text', body: 'The quick brown fox jumps over the lazy dog, again and again. '.repeat(2) },
  depth: 1234,
  origin_server_ts: 1_700_000_000_000,
  prev_events: [id(1)],
  auth_events: [id(2), id(3)],
};
const { json, event } = finishPdu(pdu, rules, server, key);
const stored = readObject(json);
const state = storyState(rules);
const message = tell({ type: 'm.room.message', sender: '@alice:one' }, rules);
const redacted = redact(stored, rules);

const paths: [name: string, target: string | undefined, call: () => unknown][] = [
  ['canonicalJson of a message', undefined, () => canonicalJson(stored)],
  ['JSON.stringify of the same', undefined, () => JSON.stringify(stored)],
  ['parseStrictJson of its text', undefined, () => parseStrictJson(json)],
  ['roomEventOf with a known id', undefined, () => roomEventOf(stored, event.eventId, rules)],
  ['parsePdu', undefined, () => parsePdu(stored, rules)],
  ['finishPdu with signing', '<= 150', () => finishPdu(pdu, rules, server, key)],
  ['checkEvent of a message', '<= 50', () => checkEvent(message, state, rules)],
  ['verifyJson of an event', undefined, () => verifyJson(redacted, 'one', key.keyId, key.publicKeyBase64)],
];

function readObject(text: string): JsonObject {
  const read = parseStrictJson(text);
  if (!read.ok || !isJsonObject(read.value)) throw new Error('not an object');
  return read.value;
}

/** Microseconds of one call, as the mean of each sample. */
function measure(call: () => unknown): number[] {
  for (let i = 0; i < WARM_UP; i++) call();
  return Array.from({ length: SAMPLES }, () => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i++) call();
    return Number(process.hrtime.bigint() - start) / 1000 / CALLS;
  });
}

/** Two branches of a room of 10,000 members meet; on each 200 members have changed and 20 have been banned. */
const MEMBERS = 10_000;
const CHANGES = 200;
const RESOLUTIONS = 30;

/** Milliseconds of resolving the fork, the walk over the auth chains of both whole states included. */
function measureResolution(version: string): number[] {
  const { room, states } = forkedRoom(rulesOf(version), MEMBERS, CHANGES);
  const context = { events: room.events, rejected: new Set<never>(), rules: room.rules };
  resolve(states, context);
  return Array.from({ length: RESOLUTIONS }, () => {
    const start = performance.now();
    resolve(states, context);
    return performance.now() - start;
  });
}

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const rows = paths.flatMap(([name, target, call]) => {
  const samples = measure(call);
  return [
    row(`${name}, p50`, quantile(samples, 0.5), 'µs', target),
    row(`${name}, p99`, quantile(samples, 0.99), 'µs'),
  ];
});
for (const version of ['1', '11', '12']) {
  const samples = measureResolution(version);
  rows.push(
    row(`resolve, 10,000 members, version ${version}, p50`, quantile(samples, 0.5), 'ms', '<= 250'),
    row(`resolve, 10,000 members, version ${version}, p99`, quantile(samples, 0.99), 'ms'),
  );
}
process.stdout.write(`Node ${process.version}, ${availableParallelism()} cores, event of ${json.length} bytes\n`);
printRows(rows);
writeRows(values.json, rows);

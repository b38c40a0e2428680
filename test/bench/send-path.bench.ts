import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { HomeserverConfig } from '../../homeserver/contract/config-schema.ts';
import { createLogger } from '../../homeserver/log.ts';
import { createMetrics } from '../../homeserver/metrics.ts';
import { createRoomWriter } from '../../homeserver/pipeline/create-room-writer.ts';
import type { Keyring } from '../../homeserver/pipeline/keyring.ts';
import { signingKeyFromSeed } from '../../homeserver/room/event-signature.ts';
import { newRoomEvents } from '../../homeserver/rooms/new-room-events.ts';
import { openStore, type Store } from '../../homeserver/storage/store.ts';
import { startPostgres } from '../support/embedded-postgres.ts';
import { createDatabase, TEST_SERVER_NAME } from '../support/postgres.ts';
import { rulesOf, serverName, userId } from '../support/room-story.ts';
import { printRows, row, writeRows } from './support/rows.ts';
import { quantile, timed } from './support/stats.ts';

const HELP = `Where the time of a send goes, without HTTP: pipeline and database function on a PostgreSQL of its own, fsync on.

  node test/bench/send-path.bench.ts [--count N] [--json FILE]`;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '3000' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

/** Time in the store's own call, and what it was given, beside the pipeline's time. */
interface Batches {
  writing: number;
  count: number;
  events: number;
}

function measured(store: Store): { store: Store; batches: Batches } {
  const batches = { writing: 0, count: 0, events: 0 };
  const write: Store['batches']['write'] = async (input) => {
    const started = performance.now();
    const result = await store.batches.write(input);
    batches.writing += performance.now() - started;
    batches.count += 1;
    batches.events += result.positions.size;
    return result;
  };
  return { store: { ...store, batches: { write } }, batches };
}

const key = signingKeyFromSeed('ed25519:bench', new Uint8Array(32).fill(7));
const keyring: Keyring = {
  serverName: serverName(TEST_SERVER_NAME),
  generation: 1,
  validitySeconds: 86_400,
  active: () => key,
  verifyKeys: () => [],
  oldKeys: () => [],
  close: () => undefined,
};

const alice = userId(`@alice:${TEST_SERVER_NAME}`);

function roomEvents() {
  return newRoomEvents({
    creator: alice,
    rules: rulesOf('12'),
    preset: 'public_chat',
    creationContent: {},
    powerLevelOverride: {},
    initialState: [],
    alias: undefined,
    name: 'bench',
    topic: undefined,
    invite: [],
    isDirect: undefined,
    profiles: new Map(),
  });
}

async function main(count: number): Promise<void> {
  const postgres = await startPostgres();
  const database = await createDatabase({ server: postgres.address });
  const log = createLogger({ level: 'warn' });
  const opened = await openStore({
    database: database.config,
    log,
    softwareVersion: 'bench',
    serverName: TEST_SERVER_NAME,
  });
  const { store, batches } = measured(opened);
  const config = HomeserverConfig.parse({ serverName: TEST_SERVER_NAME, database: database.config });
  const writer = createRoomWriter({ store, keyring, config, log, metrics: createMetrics(store.caches) });
  try {
    const { roomId } = await writer.create('12', roomEvents());
    const send = (i: number) =>
      writer.send(roomId, {
        type: 'm.room.message',
        sender: alice,
        content: { msgtype: 'm.text', body: `message ${i} ${'lorem ipsum '.repeat(10)}` },
        transaction: { deviceNo: 1, txnId: `${performance.now()}.${i}` },
      });
    await timed(count, 32, send);
    const rows = [];
    for (const concurrency of [1, 8, 32, 128]) {
      Object.assign(batches, { writing: 0, count: 0, events: 0 });
      const before = process.cpuUsage();
      const { rate, samples } = await timed(concurrency === 1 ? Math.ceil(count / 4) : count, concurrency, send);
      const cpu = process.cpuUsage(before);
      const name = `${concurrency} at once`;
      rows.push(
        row(`${name}: rate`, rate, '/s'),
        row(`${name}: p50`, quantile(samples, 0.5), 'ms'),
        row(`${name}: p99`, quantile(samples, 0.99), 'ms'),
        row(`${name}: events in a batch`, batches.events / batches.count, ''),
        row(`${name}: batch function and trip`, batches.writing / batches.count, 'ms'),
        row(`${name}: CPU of this process for an event`, (cpu.user + cpu.system) / 1000 / samples.length, 'ms'),
      );
    }
    const rooms = await timed(Math.ceil(count / 10), 16, () => writer.create('12', roomEvents()));
    rows.push(
      row('new rooms, 16 at once: rate', rooms.rate, '/s'),
      row('new rooms: p50', quantile(rooms.samples, 0.5), 'ms'),
    );
    console.log(`Node ${process.version}, ${availableParallelism()} cores`);
    printRows(rows);
    if (values.json !== undefined) writeRows(values.json, rows);
  } finally {
    await writer.close();
    await opened.close();
    await database.drop();
    await postgres.stop();
  }
}

if (values.help) console.log(HELP);
else await main(Number(values.count));

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { verify } from '../../homeserver/backup/verify.ts';
import { generateKeyring } from '../../homeserver/config/generate-key.ts';
import { type RunningPostgres, startPostgres } from '../support/embedded-postgres.ts';
import { createDatabase, TEST_SERVER_NAME, type TestDatabase } from '../support/postgres.ts';
import { waitFor } from '../support/wait-for.ts';
import { type FireEvent, Reader } from './fire/reader.ts';
import { type ReplicaProcess, startReplicas } from './fire/replica-process.ts';
import { StubbornClient } from './fire/stubborn-client.ts';
import { Writer } from './fire/writer.ts';

/** Replicas that are killed, one after the other; FIRE_KILLS changes it. The database server crashes half way. */
const KILLS = Number(process.env['FIRE_KILLS'] ?? '3');
const REPLICAS = 4;
const WRITERS = 64;
const READERS = 16;
const SHARED_ROOMS = 3;
const OWN_ROOMS = 4;

let postgres: RunningPostgres;
let database: TestDatabase;
let folder: string;
let replicas: ReplicaProcess[] = [];
let client: StubbornClient;

beforeAll(async () => {
  postgres = await startPostgres();
  database = await createDatabase({ server: postgres.address });
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-test-fire-'));
  const keyringFile = join(folder, 'keyring.json');
  await writeFile(keyringFile, JSON.stringify(generateKeyring(TEST_SERVER_NAME, 86_400)), { mode: 0o600 });
  replicas = await startReplicas(REPLICAS, folder, {
    serverName: TEST_SERVER_NAME,
    database: { directory: database.directory, tlsMode: 'Disable' },
    keyringFile,
    registration: { mode: 'Open' },
    rateLimits: { enabled: false },
    logLevel: 'warn',
  });
  client = new StubbornClient(replicas.map(({ port }) => port));
});

afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.kill()));
  await database.drop();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

const Registered = z.object({ access_token: z.string() });
const Created = z.object({ room_id: z.string() });

/** Tokens of new users. */
function register(name: string, count: number): Promise<string[]> {
  const one = async (i: number) => {
    const body = { username: `${name}${i}`, password: `password of ${name}${i}`, auth: { type: 'm.login.dummy' } };
    return Registered.parse(await client.request('POST', '/register', { body, at: i })).access_token;
  };
  return Promise.all(Array.from({ length: count }, (_, i) => one(i)));
}

async function createRoom(token: string): Promise<string> {
  const body = { preset: 'public_chat', power_level_content_override: { state_default: 0 } };
  return Created.parse(await client.request('POST', '/createRoom', { token, body, at: 0 })).room_id;
}

/** All at one replica: what joins there at once shares a batch. */
async function joinAll(roomId: string, tokens: readonly string[]): Promise<void> {
  await Promise.all(tokens.map((token) => client.request('POST', `/join/${roomId}`, { token, body: {}, at: 0 })));
}

interface Stage {
  rooms: string[];
  writers: Writer[];
  readers: Reader[];
}

async function prepare(): Promise<Stage> {
  const [writers, readers] = await Promise.all([register('writer', WRITERS), register('reader', READERS)]);
  const owner = writers[0] ?? '';
  const shared = await Promise.all(Array.from({ length: SHARED_ROOMS }, () => createRoom(owner)));
  const own = await Promise.all(writers.slice(0, OWN_ROOMS).map((token) => createRoom(token)));
  await Promise.all(shared.map((roomId) => joinAll(roomId, [...writers.slice(1), ...readers])));
  await Promise.all(own.map((roomId) => joinAll(roomId, readers)));
  const roomsOf = (number: number) => [...shared, ...own.slice(number, number + 1)];
  return {
    rooms: [...shared, ...own],
    writers: writers.map((token, number) => new Writer(client, { token, number }, roomsOf(number))),
    readers: readers.map(
      (token, i) =>
        new Reader(client, { token, home: i % 2 === 0 ? i / 2 : undefined, timelineLimit: [3, 10, 100][i % 3] ?? 10 }),
    ),
  };
}

/** Kills one replica after the other, and the database server in the middle; the others must get on with it each time. */
async function setOnFire(writers: readonly Writer[]): Promise<void> {
  const count = () => writers.reduce((sum, writer) => sum + writer.acknowledged.length, 0);
  const moreEvents = async (more: number) => {
    const wanted = count() + more;
    await waitFor(() => count() >= wanted, { what: `${more} more events` });
  };
  await moreEvents(100);
  for (let i = 0; i < KILLS; i += 1) {
    const victim = replicas[i % replicas.length];
    await victim?.kill();
    await moreEvents(30);
    await victim?.start();
    await moreEvents(100);
    if (i + 1 !== Math.ceil(KILLS / 2)) continue;
    await postgres.restart('immediate');
    await moreEvents(100);
  }
}

const duplicatesIn = (texts: readonly string[]) => texts.length - new Set(texts).size;
const idsOf = (events: readonly FireEvent[] | undefined) => events?.map((event) => event.event_id) ?? [];

test('under kills and a crash of the database nothing acknowledged is lost, doubled, skipped or told in another order', async () => {
  const { rooms, writers, readers } = await prepare();
  await Promise.all(readers.map((reader) => reader.begin()));
  const phase = { writing: true, reading: true };
  const writing = Promise.all(writers.map((writer) => writer.run(() => !phase.writing)));
  const reading = Promise.all(readers.map((reader) => reader.follow(() => !phase.reading)));
  const ended = Promise.race([writing, reading]).then(() => {
    if (phase.writing) throw new Error('a writer or reader ended early');
  });
  await Promise.race([setOnFire(writers), ended]);
  phase.writing = false;
  await writing;
  phase.reading = false;
  await reading;

  const acknowledged = writers.flatMap((writer) => writer.acknowledged);
  const gaps = readers.reduce((sum, reader) => sum + reader.gaps, 0);
  console.log({ events: acknowledged.length, repeated: client.repeated, gaps });
  expect(client.faults).toEqual([]);
  expect(gaps).toBeGreaterThan(0);
  for (const [number, roomId] of rooms.entries()) {
    const history = (await readers[number % READERS]?.history(roomId)) ?? [];
    const ids = idsOf(history);
    expect(duplicatesIn(ids)).toBe(0);
    const messages = history.flatMap(({ content }) => content.body ?? []);
    expect(duplicatesIn(messages)).toBe(0);
    const here = acknowledged.filter((event) => event.roomId === roomId);
    expect(new Set(messages)).toEqual(new Set(here.flatMap(({ body }) => body ?? [])));
    const known = new Set(ids);
    expect(here.filter(({ eventId }) => !known.has(eventId))).toEqual([]);
    for (const reader of readers) expect(idsOf(reader.rooms.get(roomId))).toEqual(ids);
  }
  expect(replicas.map(({ deaths, errors }) => ({ deaths, errors }))).toEqual(
    replicas.map(() => ({ deaths: 0, errors: [] })),
  );
  expect(await Promise.all(replicas.map((replica) => replica.isReady()))).toEqual(replicas.map(() => true));
  const connection = { database: database.config, applicationName: 'verify-under-fire' };
  const report = await verify({ connection, serverName: TEST_SERVER_NAME, sample: 1000, timeLimitMs: 30_000 });
  expect(report.checks.filter(({ problems }) => problems > 0)).toEqual([]);
}, 600_000);

import { loadConfig } from '../../../homeserver/config/load.ts';
import { loadKeyring } from '../../../homeserver/config/keyring.ts';
import { createLogger } from '../../../homeserver/log.ts';
import { createMetrics } from '../../../homeserver/metrics.ts';
import { createRoomWriter } from '../../../homeserver/pipeline/create-room-writer.ts';
import type { EventDraft, RoomWriter } from '../../../homeserver/pipeline/room-writer.ts';
import type { RoomId, UserId } from '../../../homeserver/room/identifiers.ts';
import { newRoomEvents } from '../../../homeserver/rooms/new-room-events.ts';
import { openStore, type Store } from '../../../homeserver/storage/store.ts';
import { rulesOf, userId } from '../../support/room-story.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { BenchWorld } from './bench-world.ts';
import type { BenchUser } from './matrix-client.ts';
import { row, type Row } from './rows.ts';
import { quantile, timed } from './stats.ts';

/** How large the database is made. */
export interface Size {
  /** Events in all. */
  readonly events: number;
  /** Members of the largest room. */
  readonly members: number;
  /** Rooms of the account whose initial sync is measured. */
  readonly rooms: number;
}

/** A member of each ordinary room for so many events of it: 6 % of the events are state, as in the design's trial. */
const EVENTS_PER_MEMBER = 20;
/** Events that one call of the writer sends. */
const CALL = 64;
const AT_ONCE = 16;
/** Words of a message: about 700 bytes of JSON. */
const WORDS = 20;
const VOCABULARY = 20_000;

/** The database of a running server as a second replica sees it. */
interface Filling {
  readonly store: Store;
  readonly writer: RoomWriter;
  readonly owner: UserId;
}

/**
 * Fills the database of a running server past it, as a second replica does, and gives the world of its largest room with
 * figures of storage. Every event is built, authorised and signed as any other.
 */
export async function grow(
  configFile: string,
  world: BenchWorld,
  size: Size,
): Promise<{ world: BenchWorld; rows: Row[] }> {
  const config = await loadConfig(configFile);
  const log = createLogger({ level: 'warn' });
  const keyring = await loadKeyring({ file: config.keyringFile, serverName: config.serverName, log });
  const store = await openStore({
    database: config.database,
    log,
    softwareVersion: 'bench',
    serverName: config.serverName,
  });
  const writer = createRoomWriter({ store, keyring, config, log, metrics: createMetrics(store.caches) });
  const [first] = world.users;
  if (first === undefined) throw new Error('a world needs at least one user');
  try {
    return await fill({ store, writer, owner: userId(first.userId) }, world, size);
  } finally {
    await writer.close();
    keyring.close();
    await store.close();
  }
}

async function fill(filling: Filling, world: BenchWorld, size: Size): Promise<{ world: BenchWorld; rows: Row[] }> {
  say(`making a room of ${size.members} members`);
  const large = await roomOf(filling, size.members);
  for (const user of world.users) if (user !== world.users[0]) await world.client.join(user, large);
  say(`making ${size.rooms} rooms`);
  const members = Math.floor(size.events / size.rooms / EVENTS_PER_MEMBER);
  const rooms: RoomId[] = [];
  await timed(size.rooms, AT_ONCE, async () => rooms.push(await roomOf(filling, members)));
  const rows = await messages(filling, [...rooms, large], size);
  return { world: { ...world, room: large }, rows: [...rows, await stateRows(filling.store)] };
}

/** A public room in which members m0, m1, ... are joined. */
async function roomOf({ writer, owner }: Filling, members: number): Promise<RoomId> {
  const room = { creator: owner, rules: rulesOf('12'), preset: 'public_chat', name: 'grown' } as const;
  const nothing = { creationContent: {}, powerLevelOverride: {}, initialState: [], invite: [], profiles: new Map() };
  const { roomId } = await writer.create(
    '12',
    newRoomEvents({ ...room, ...nothing, alias: undefined, topic: undefined, isDirect: undefined }),
  );
  const joins = Array.from({ length: members }, (_, n) => joinOf(memberOf(owner, n)));
  for (let at = 0; at < joins.length; at += CALL) await writer.sendAll(roomId, joins.slice(at, at + CALL));
  return roomId;
}

function memberOf(owner: UserId, n: number): UserId {
  return userId(`@m${n}:${owner.slice(owner.indexOf(':') + 1)}`);
}

function joinOf(user: UserId): EventDraft {
  return { type: 'm.room.member', stateKey: user, sender: user, content: { membership: 'join' } };
}

/** Plain messages until the database has the wanted number of events. */
async function messages({ store, writer, owner }: Filling, rooms: readonly RoomId[], size: Size): Promise<Row[]> {
  const there = await count(store, 'events');
  const calls = Math.max(1, Math.ceil((size.events - there) / CALL));
  say(`writing ${calls * CALL} messages`);
  await searchIndexed(store);
  await vacuum(store);
  const before = await bytes(store);
  const sent = await timed(calls, AT_ONCE, (call) => {
    const roomId = rooms[call % rooms.length];
    if (roomId === undefined) throw new Error('no rooms');
    return writer.sendAll(
      roomId,
      Array.from({ length: CALL }, (_, n) => messageOf(owner, call * CALL + n)),
    );
  });
  await searchIndexed(store);
  await vacuum(store);
  const grown = (await bytes(store)) - before;
  const json = await averageJson(store);
  return [
    row('events written by one replica without HTTP', sent.rate * CALL, '/s'),
    row(`disk per plain message of ${json} B JSON, all tables and indexes`, grown / calls / CALL, 'B', '<= 1300'),
  ];
}

function messageOf(sender: UserId, n: number): EventDraft {
  return { type: 'm.room.message', sender, content: { msgtype: 'm.text', body: textOf(n) } };
}

/** As people write: few words often, many seldom, the frequent ones short; the same text for the same number. */
function textOf(message: number): string {
  let seed = message + 1;
  const words = Array.from({ length: WORDS }, () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return wordOf(Math.floor(VOCABULARY ** (seed / 2 ** 32)));
  });
  return words.join(' ');
}

function wordOf(rank: number): string {
  const syllable = 'bcdfghklmnprst'.charAt(rank % 14) + 'aeiou'.charAt(Math.floor(rank / 14) % 5);
  return rank < 70 ? syllable : syllable + wordOf(Math.floor(rank / 70));
}

/** Initial sync of the account that is in all rooms. */
export async function largeInitialSync(world: BenchWorld): Promise<Row> {
  const [user] = world.users;
  if (user === undefined) throw new Error('a world needs at least one user');
  const { samples } = await timed(12, 1, () => lazySync(world, user));
  return row('initial sync of an account in all rooms, lazy members, p50', quantile(samples, 0.5), 'ms', '<= 500');
}

function lazySync(world: BenchWorld, user: BenchUser): Promise<number> {
  const filter = JSON.stringify({ room: { state: { lazy_load_members: true } } });
  return world.client.read(`/_matrix/client/v3/sync?timeout=0&filter=${encodeURIComponent(filter)}`, user);
}

/** Snapshots and auth edges: what the state of rooms costs beside the events themselves. */
async function stateRows(store: Store): Promise<Row> {
  const rows =
    (await count(store, 'snapshots')) + (await count(store, 'event_auth')) + (await count(store, 'auth_chains'));
  return row('state rows per event', rows / (await count(store, 'events')), '', '<= 0.5');
}

type CountedTable = 'events' | 'snapshots' | 'event_auth' | 'auth_chains';

async function count(store: Store, table: CountedTable): Promise<number> {
  const text = `select count(*)::int8 as n from ${table}`;
  return (await store.db.query<{ n: number }>({ name: `bench_count_${table}`, text, values: [] }))[0]?.n ?? 0;
}

async function bytes(store: Store): Promise<number> {
  const text = 'select pg_database_size(current_database()) as n';
  return (await store.db.query<{ n: number }>({ name: 'bench_bytes', text, values: [] }))[0]?.n ?? 0;
}

async function averageJson(store: Store): Promise<number> {
  const text = `select avg(length(json))::int4 as n from (select json from events where position is not null
    order by position desc limit 1000) e`;
  return (await store.db.query<{ n: number }>({ name: 'bench_json', text, values: [] }))[0]?.n ?? 0;
}

/** Words of messages are indexed behind the writers, by the server. */
async function searchIndexed(store: Store): Promise<void> {
  const text = 'select position >= (select max(position) from commits) as done from search_progress';
  const query = { name: 'bench_search_indexed', text, values: [] };
  await waitFor(async () => (await store.db.query<{ done: boolean }>(query))[0]?.done === true, {
    what: 'the search index to reach the newest event',
    timeoutMs: 600_000,
    everyMs: 1000,
  });
}

/** Statistics as autovacuum makes them in time; and free space is used before sizes are read. */
async function vacuum(store: Store): Promise<void> {
  await store.db.query({ name: 'bench_vacuum', text: 'vacuum analyze', values: [] });
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

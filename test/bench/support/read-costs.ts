import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { at, registerUsers, type BenchWorld } from './bench-world.ts';
import type { OwnHomeserver } from './own-homeserver.ts';
import { row, type Row } from './rows.ts';
import { timed } from './stats.ts';

/** Requests before the clock runs: the program is compiled and caches are filled. */
const WARM = 1000;
const COUNTED = 3000;
const AT_ONCE = 8;
const SENT = 1000;
const NEWCOMERS = 40;
const UNREAD = 1000;
/** Sessions report their statements at most once a second. */
const REPORTED_MS = 2500;

type Path = (index: number) => string;

/** What each request of a reader costs: CPU time of our process and of PostgreSQL, and statements, none of which noise changes much. */
export async function readCosts(own: OwnHomeserver, world: BenchWorld, only?: readonly string[]): Promise<Row[]> {
  await timed(SENT, 32, (i) => world.client.send(at(world.users, i), world.room, 'read by many'));
  const room = `/_matrix/client/v3/rooms/${encodeURIComponent(world.room)}`;
  const filter = (i: number) => encodeURIComponent(JSON.stringify({ account_data: { not_types: [`bench.${i}`] } }));
  const all: [string, Path][] = [
    ['versions', () => '/_matrix/client/versions'],
    ['whoami', () => '/_matrix/client/v3/account/whoami'],
    ['members', () => `${room}/members`],
    ['messages', () => `${room}/messages?dir=b&limit=20`],
    ['initialSync', (i) => `/_matrix/client/v3/sync?timeout=0&filter=${filter(i)}`],
  ];
  const paths = all.filter(([name]) => only?.includes(name) ?? true);
  const database = await openDatabase(own);
  const rows: Row[] = await newcomersCost(own, world);
  for (const [name, path] of paths) rows.push(...(await costOf(name, path, { own, world, database })));
  await database.end();
  return rows;
}

/** Initial syncs of users who have had none, in a room with much that they have not read. */
async function newcomersCost(own: OwnHomeserver, { client, room, users }: BenchWorld): Promise<Row[]> {
  const newcomers = await registerUsers(client, NEWCOMERS);
  await timed(NEWCOMERS, 4, (i) => client.join(at(newcomers, i), room));
  await timed(UNREAD, 16, (i) => client.send(at(users, i), room, 'unread'));
  const before = await own.cpu();
  await timed(NEWCOMERS, 4, (i) => client.sync(at(newcomers, i), undefined, 0));
  const after = await own.cpu();
  return [
    row('first initial sync: process', (after.process - before.process) / NEWCOMERS, 'ms'),
    row('first initial sync: PostgreSQL', (after.database - before.database) / NEWCOMERS, 'ms'),
  ];
}

interface Measured {
  readonly own: OwnHomeserver;
  readonly world: BenchWorld;
  readonly database: pg.Client;
}

async function costOf(name: string, path: Path, { own, world, database }: Measured): Promise<Row[]> {
  process.stderr.write(`measuring the cost of ${name}\n`);
  const ask = (count: number) => timed(count, AT_ONCE, (i) => world.client.read(path(i), at(world.users, i)));
  const cold = await own.cpu();
  await ask(100);
  const first = await own.cpu();
  await ask(WARM);
  await pause(REPORTED_MS);
  const [before, statements] = [await own.cpu(), await statementsOf(database)];
  await ask(COUNTED);
  const after = await own.cpu();
  await pause(REPORTED_MS);
  const more = (await statementsOf(database)) - statements;
  return [
    row(`${name}: first 100`, (first.process - cold.process) / 100, 'ms'),
    row(`${name}: process`, (after.process - before.process) / COUNTED, 'ms'),
    row(`${name}: PostgreSQL`, (after.database - before.database) / COUNTED, 'ms'),
    row(`${name}: statements`, more / COUNTED, ''),
  ];
}

async function openDatabase(own: OwnHomeserver): Promise<pg.Client> {
  const client = new pg.Client(own.database);
  await client.connect();
  return client;
}

async function statementsOf(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ count: string }>(
    'select xact_commit as count from pg_stat_database where datname = current_database()',
  );
  return Number(rows[0]?.count ?? Number.NaN);
}

import { at, type BenchWorld } from './bench-world.ts';
import type { BenchUser } from './matrix-client.ts';
import type { OwnHomeserver } from './own-homeserver.ts';
import { row, type Row } from './rows.ts';
import { timed } from './stats.ts';

/** What is asked for, how often and by how many at once. */
interface Asked {
  readonly name: string;
  readonly count: number;
  readonly atOnce: number;
  path(index: number): string;
}

const SYNC = '/_matrix/client/v3/sync?timeout=0';
const withFilter = (filter: object) => `${SYNC}&filter=${encodeURIComponent(JSON.stringify(filter))}`;
const lazy = { room: { state: { lazy_load_members: true } } };

/** Of the account that is in all rooms. */
const OF_ACCOUNT: readonly Asked[] = [
  { name: 'lazy initial syncs of all rooms', count: 12, atOnce: 8, path: () => withFilter(lazy) },
  { name: 'whole initial syncs of all rooms', count: 8, atOnce: 8, path: () => SYNC },
];

function ofRoom(room: string): readonly Asked[] {
  const path = (rest: string) => () => `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/${rest}`;
  const own = (i: number) => withFilter({ room: { state: { not_types: [`bench.${i}`] } } });
  return [
    { name: 'lists of members', count: 40, atOnce: 8, path: path('members') },
    { name: 'whole initial syncs of the room', count: 20, atOnce: 20, path: () => SYNC },
    { name: 'the same with filters of their own', count: 20, atOnce: 20, path: own },
    { name: 'states', count: 24, atOnce: 8, path: path('state') },
    { name: 'joined members', count: 24, atOnce: 8, path: path('joined_members') },
  ];
}

/** The most resident memory while large answers are asked for by many at once, kind after kind. */
export async function largeAnswers(own: OwnHomeserver, world: BenchWorld): Promise<Row[]> {
  const [account, ...others] = world.users;
  if (account === undefined || others.length === 0) throw new Error('a world needs at least two users');
  const rows: Row[] = [];
  for (const asked of ofRoom(world.room)) rows.push(await mostResident(own, world, asked, others));
  for (const asked of OF_ACCOUNT) rows.push(await mostResident(own, world, asked, [account]));
  return [...rows, row('RSS 30 s after large answers', await own.memory(30_000), 'MB', '<= 250')];
}

async function mostResident(
  own: OwnHomeserver,
  { client }: BenchWorld,
  { name, count, atOnce, path }: Asked,
  users: readonly BenchUser[],
): Promise<Row> {
  const most = await own.mostMemory(() => timed(count, atOnce, (i) => client.read(path(i), at(users, i))));
  return row(`most RSS, ${count} ${name}, ${atOnce} at once`, most, 'MB', '<= 400');
}

import { accountsOf, at, registerUsers, TEXT, type BenchWorld } from './bench-world.ts';
import { LongPolls } from './long-polls.ts';
import { during, type Pace, quantile, type Timed, timed } from './stats.ts';

/** CPU time of one call, ms: of the load, of our process, and of PostgreSQL for it. */
export interface CallCpu {
  readonly load: number;
  readonly server?: number | undefined;
  readonly database?: number | undefined;
}

/** One value of a figure. */
export interface Value {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly cpu?: CallCpu;
}

export type Figure = readonly Value[];

type Call = (index: number) => Promise<unknown>;

/** Both programs are compiled while they run: calls are made for so long, s, before the clock runs. */
const WARM_SECONDS = 2.5;

/** Most calls, and how long they are made. The slower server of a comparison has the threefold time for `atLeast`. */
const PACES = {
  register: { atOnce: 4, seconds: 4, atLeast: 60, atMost: 400 },
  createRoom: { atOnce: 4, seconds: 4, atLeast: 25, atMost: 1000 },
  send: { atOnce: 1, seconds: 4, atLeast: 150 },
  sends: { atOnce: 32, seconds: 4, atLeast: 320 },
  read: { atOnce: 8, seconds: 4, atLeast: 200 },
  initialSync: { atOnce: 4, seconds: 5, atLeast: 60 },
  initialSyncOf50: { atOnce: 2, seconds: 5, atLeast: 12 },
  fanOut: { atOnce: 1, seconds: 5, atLeast: 25 },
} satisfies Record<string, Pace>;

/** Rooms that are joined by the same users one after another, before and while the clock runs. */
const JOIN = { users: 25, atOnce: 4, warmRooms: 20, seconds: 4, rooms: 60 };

const rate = (name: string, run: Measured): Figure => [
  { name, unit: '/s', value: run.rate, cpu: run.cpu },
  ...quantiles(name, run.samples),
];

const quantiles = (name: string, samples: readonly number[]): Figure => [
  { name: `${name} p50`, unit: 'ms', value: quantile(samples, 0.5) },
  { name: `${name} p99`, unit: 'ms', value: quantile(samples, 0.99) },
];

interface Measured extends Timed {
  readonly cpu: CallCpu;
}

/** Figures are those of a warm server: the same calls are made before the clock runs, for less time. */
async function measured(world: BenchWorld, pace: Pace, call: Call): Promise<Measured> {
  await during({ ...pace, seconds: WARM_SECONDS }, call);
  return withCpu(world, () => during(pace, call));
}

async function withCpu(world: BenchWorld, run: () => Promise<Timed>): Promise<Measured> {
  const server = await world.cpu?.();
  const load = process.cpuUsage();
  const result = await run();
  const { user, system } = process.cpuUsage(load);
  const after = await world.cpu?.();
  const calls = result.samples.length;
  const perCall = (from: number | undefined, to: number | undefined) =>
    from === undefined || to === undefined ? undefined : (to - from) / calls;
  const cpu = {
    load: (user + system) / 1000 / calls,
    server: perCall(server?.process, after?.process),
    database: perCall(server?.database, after?.database),
  };
  return { ...result, cpu };
}

const register = async (world: BenchWorld): Promise<Figure> =>
  rate('register', await measured(world, PACES.register, () => world.client.register()));

async function createRoom(world: BenchWorld): Promise<Figure> {
  const users = await registerUsers(world.client, 25);
  const create = (i: number) => world.client.createRoom(at(users, i));
  return rate('createRoom', await measured(world, PACES.createRoom, create));
}

/** The same users join one new room after another; the clock stands while a room is created. */
async function join(world: BenchWorld): Promise<Figure> {
  const users = await registerUsers(world.client, JOIN.users);
  const all = async (room: string) =>
    timed(users.length - 1, JOIN.atOnce, (i) => world.client.join(at(users, i + 1), room));
  const rooms = async (most: number, seconds: number): Promise<Measured> => {
    const runs: Measured[] = [];
    let spent = 0;
    for (let n = 0; n < most && spent < seconds * 1000; n += 1) {
      const room = await world.client.createRoom(at(users, 0));
      const run = await withCpu(world, () => all(room));
      spent += (run.samples.length * 1000) / run.rate;
      runs.push(run);
    }
    return merged(runs, spent);
  };
  await rooms(JOIN.warmRooms, WARM_SECONDS);
  return rate('join', await rooms(JOIN.rooms, JOIN.seconds));
}

function merged(runs: readonly Measured[], spentMs: number): Measured {
  const samples = runs.flatMap((run) => run.samples);
  const mean = (of: (cpu: CallCpu) => number | undefined): number | undefined => {
    const values = runs.flatMap((run) => of(run.cpu) ?? []);
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  const cpu = {
    load: mean((c) => c.load) ?? Number.NaN,
    server: mean((c) => c.server),
    database: mean((c) => c.database),
  };
  return { rate: (samples.length * 1000) / spentMs, samples, cpu };
}

async function sequentialSend(world: BenchWorld): Promise<Figure> {
  const send = (i: number) => world.client.send(at(world.users, i), world.room, TEXT);
  return quantiles('sequential send', (await measured(world, PACES.send, send)).samples);
}

/** The clock runs until a sync has nothing more to say, so that no backlog is left uncounted. */
async function concurrentSend(world: BenchWorld): Promise<Figure> {
  const send = (i: number) => world.client.send(at(world.users, i), world.room, TEXT);
  const sends = async (seconds: number) => {
    const before = await world.client.sync(at(world.users, 0), undefined, 0);
    const started = performance.now();
    const run = await during({ ...PACES.sends, seconds }, send);
    await settle(world, before.next);
    return { ...run, rate: (run.samples.length * 1000) / (performance.now() - started) };
  };
  await sends(WARM_SECONDS);
  return rate('send x32', await withCpu(world, () => sends(PACES.sends.seconds)));
}

async function settle(world: BenchWorld, from: string): Promise<void> {
  const user = at(world.users, 0);
  let since = from;
  for (let round = 0; round < 100; round += 1) {
    const answer = await world.client.sync(user, since, 0);
    if (answer.eventIds.length === 0) return;
    since = answer.next;
  }
}

/** One message at a time; the clock runs from the start of the send until another user's long poll has brought it. */
async function delivery(world: BenchWorld): Promise<Figure> {
  const polls = new LongPolls(world.client, [at(world.users, 1)]);
  await polls.start();
  const run = await measured(world, PACES.send, async (i) => {
    polls.expect(await world.client.send(at(world.users, 0), world.room, `${TEXT} ${i}`));
    await polls.all();
  });
  await polls.stop();
  return quantiles('delivery', run.samples);
}

/** Twenty users hold long polls while messages are sent one after another; counts events handed to all of them together. */
async function fanOut(world: BenchWorld): Promise<Figure> {
  const watchers = world.users.slice(1, 21);
  const polls = new LongPolls(world.client, watchers);
  await polls.start();
  const sends = async (seconds: number): Promise<Timed> => {
    const started = performance.now();
    const run = await during({ ...PACES.fanOut, seconds }, async (i) => {
      polls.expect(await world.client.send(at(world.users, 0), world.room, `${TEXT} fan-out ${i}`));
    });
    await polls.all();
    const samples = run.samples.flatMap((sample) => watchers.map(() => sample));
    return { rate: (samples.length * 1000) / (performance.now() - started), samples };
  };
  await sends(WARM_SECONDS);
  const run = await withCpu(world, () => sends(PACES.fanOut.seconds));
  await polls.stop();
  return [{ name: 'deliveries x20', unit: '/s', value: run.rate, cpu: run.cpu }];
}

/** Each has a filter that no other has: a server that keeps answers for repeated questions has to work them out all the same. */
function initialSyncPath(index: number): string {
  const filter = { account_data: { not_types: [`bench.${performance.now()}.${index}`] } };
  return `/_matrix/client/v3/sync?timeout=0&filter=${encodeURIComponent(JSON.stringify(filter))}`;
}

async function initialSync(world: BenchWorld): Promise<Figure> {
  const accounts = accountsOf(world.users);
  const sync = (i: number) => world.client.read(initialSyncPath(i), at(accounts, i));
  return rate('initial sync', await measured(world, PACES.initialSync, sync));
}

/** The account that somebody has who uses it every day. */
async function initialSyncOf50(world: BenchWorld): Promise<Figure> {
  const user = await world.client.register();
  await timed(50, 4, async () => {
    const room = await world.client.createRoom(user);
    for (let message = 0; message < 5; message += 1) await world.client.send(user, room, TEXT);
  });
  const sync = (i: number) => world.client.read(initialSyncPath(i), user);
  return rate('initial sync of 50 rooms', await measured(world, PACES.initialSyncOf50, sync));
}

async function read(world: BenchWorld, name: string, path: string): Promise<Figure> {
  const room = encodeURIComponent(world.room);
  const call = (i: number) => world.client.read(`/_matrix/client/v3/rooms/${room}/${path}`, at(world.users, i));
  return rate(name, await measured(world, PACES.read, call));
}

/** All figures, in the order in which they run: first those that read what is the same on every server. */
export const FIGURES: Readonly<Record<string, (world: BenchWorld) => Promise<Figure>>> = {
  messages: (world) => read(world, 'messages', 'messages?dir=b&limit=20'),
  members: (world) => read(world, 'members', 'members'),
  initialSync,
  initialSyncOf50,
  register,
  createRoom,
  join,
  sequentialSend,
  concurrentSend,
  delivery,
  fanOut,
};

import type { BenchUser, MatrixClient } from './matrix-client.ts';
import { quantile, timed } from './stats.ts';

/** What one figure gives: name of the value -> value. */
export type Figure = Record<string, number>;

export interface BenchWorld {
  client: MatrixClient;
  /** Members of `room`; the first created it. */
  users: readonly BenchUser[];
  room: string;
}

const TEXT = 'The quick brown fox jumps over the lazy dog, again and again, until the line is of an ordinary length.';

/** A room with `members` users and some history, on which all figures run. */
export async function makeWorld(client: MatrixClient, members: number): Promise<BenchWorld> {
  const users: BenchUser[] = [];
  await timed(members, 4, async () => {
    users.push(await client.register());
  });
  const [owner] = users;
  if (owner === undefined) throw new Error('a world needs at least one user');
  const room = await client.createRoom(owner);
  await timed(users.length - 1, 4, (i) => client.join(at(users, i + 1), room));
  await timed(100, 8, (i) => client.send(at(users, i), room, TEXT));
  return { client, users, room };
}

function at(users: readonly BenchUser[], index: number): BenchUser {
  const user = users[index % users.length];
  if (user === undefined) throw new Error('no users');
  return user;
}

/** Waits until a sync has nothing more to say after `from`, so that no backlog is left uncounted. */
async function settle(world: BenchWorld, from: string): Promise<void> {
  const user = at(world.users, 0);
  let since = from;
  for (let round = 0; round < 100; round += 1) {
    const answer = await world.client.sync(user, since, 0);
    if (answer.eventIds.length === 0) return;
    since = answer.next;
  }
}

const perSecond = (name: string, run: { rate: number; samples: number[] }): Figure => ({
  [`${name} /s`]: run.rate,
  [`${name} p50 ms`]: quantile(run.samples, 0.5),
  [`${name} p99 ms`]: quantile(run.samples, 0.99),
});

async function sequentialSend(world: BenchWorld): Promise<Figure> {
  const run = await timed(200, 1, (i) => world.client.send(at(world.users, i), world.room, TEXT));
  return {
    'sequential send p50 ms': quantile(run.samples, 0.5),
    'sequential send p99 ms': quantile(run.samples, 0.99),
  };
}

async function concurrentSend(world: BenchWorld): Promise<Figure> {
  const count = 1500;
  const before = await world.client.sync(at(world.users, 0), undefined, 0);
  const started = performance.now();
  const run = await timed(count, 32, (i) => world.client.send(at(world.users, i), world.room, TEXT));
  await settle(world, before.next);
  const whole = (count * 1000) / (performance.now() - started);
  return { ...perSecond('send x32', run), 'send x32 /s': Math.min(run.rate, whole) };
}

/** Follows the room by long polls until told to stop; reports when each event came. */
async function follow(world: BenchWorld, user: BenchUser, seen: (eventId: string) => void, done: () => boolean) {
  let since = (await world.client.sync(user, undefined, 0)).next;
  return {
    finished: (async () => {
      while (!done()) {
        const answer = await world.client.sync(user, since, 2000);
        since = answer.next;
        for (const id of answer.eventIds) seen(id);
      }
    })(),
  };
}

/** One message at a time; the clock runs from the start of the send until another user's long poll has brought it. */
async function delivery(world: BenchWorld): Promise<Figure> {
  const arrivals = new Map<string, number>();
  const waiting = new Map<string, () => void>();
  let stop = false;
  const seen = (id: string): void => {
    arrivals.set(id, performance.now());
    waiting.get(id)?.();
  };
  const follower = await follow(world, at(world.users, 1), seen, () => stop);
  const samples: number[] = [];
  for (let i = 0; i < 150; i += 1) {
    const started = performance.now();
    const id = await world.client.send(at(world.users, 0), world.room, `${TEXT} ${i}`);
    if (!arrivals.has(id)) await new Promise<void>((resolve) => waiting.set(id, resolve));
    samples.push((arrivals.get(id) ?? Number.NaN) - started);
  }
  stop = true;
  await follower.finished;
  return { 'delivery p50 ms': quantile(samples, 0.5), 'delivery p99 ms': quantile(samples, 0.99) };
}

/** Twenty users hold long polls while messages are sent one after another; counts events handed to all of them together. */
async function fanOut(world: BenchWorld): Promise<Figure> {
  const sends = 60;
  const watchers = world.users.slice(1, 21);
  let delivered = 0;
  let all = (): void => undefined;
  const everyone = new Promise<void>((resolve) => {
    all = resolve;
  });
  const wanted = new Set<string>();
  const early = new Map<string, number>();
  const seen = (id: string): void => {
    if (!wanted.has(id)) early.set(id, (early.get(id) ?? 0) + 1);
    else delivered += 1;
    if (delivered === sends * watchers.length) all();
  };
  const followers = await Promise.all(
    watchers.map((user) => follow(world, user, seen, () => delivered >= sends * watchers.length)),
  );
  const started = performance.now();
  for (let i = 0; i < sends; i += 1) {
    const id = await world.client.send(at(world.users, 0), world.room, `${TEXT} fan-out ${i}`);
    wanted.add(id);
    delivered += early.get(id) ?? 0;
    if (delivered === sends * watchers.length) all();
  }
  await everyone;
  const rate = (sends * watchers.length * 1000) / (performance.now() - started);
  await Promise.all(followers.map((follower) => follower.finished));
  return { 'deliveries x20 /s': rate };
}

/** Figures of reads are those of a warm server: half as many calls run before the clock does. */
async function warm({ count, atOnce }: { count: number; atOnce: number }, call: (index: number) => Promise<unknown>) {
  await timed(count / 2, atOnce, (i) => call(count + i));
  return timed(count, atOnce, call);
}

/** Each has a filter that no other has: a server that keeps answers for repeated questions has to work them out all the same. */
function initialSyncPath(index: number): string {
  const filter = { account_data: { not_types: [`bench.${performance.now()}.${index}`] } };
  return `/_matrix/client/v3/sync?timeout=0&filter=${encodeURIComponent(JSON.stringify(filter))}`;
}

async function initialSync(world: BenchWorld): Promise<Figure> {
  const read = (i: number) => world.client.read(initialSyncPath(i), at(world.users, i));
  return perSecond('initial sync', await warm({ count: 200, atOnce: 4 }, read));
}

/** The account that somebody has who uses it every day. */
async function initialSyncOf50(world: BenchWorld): Promise<Figure> {
  const user = await world.client.register();
  await timed(50, 4, async () => {
    const room = await world.client.createRoom(user);
    for (let message = 0; message < 5; message += 1) await world.client.send(user, room, TEXT);
  });
  const read = (i: number) => world.client.read(initialSyncPath(i), user);
  return perSecond('initial sync of 50 rooms', await warm({ count: 40, atOnce: 2 }, read));
}

async function read(world: BenchWorld, name: string, path: string): Promise<Figure> {
  const room = encodeURIComponent(world.room);
  const run = await warm({ count: 1000, atOnce: 8 }, (i) =>
    world.client.read(`/_matrix/client/v3/rooms/${room}/${path}`, at(world.users, i)),
  );
  return perSecond(name, run);
}

async function joins(world: BenchWorld): Promise<Figure> {
  const room = await world.client.createRoom(at(world.users, 0));
  return perSecond(
    'join',
    await timed(world.users.length - 1, 4, (i) => world.client.join(at(world.users, i + 1), room)),
  );
}

/** All figures, in the order in which they run. */
export const FIGURES: Readonly<Record<string, (world: BenchWorld) => Promise<Figure>>> = {
  register: async (world) => perSecond('register', await timed(60, 4, () => world.client.register())),
  createRoom: async (world) =>
    perSecond('createRoom', await timed(40, 4, (i) => world.client.createRoom(at(world.users, i)))),
  join: joins,
  sequentialSend,
  concurrentSend,
  messages: (world) => read(world, 'messages', 'messages?dir=b&limit=20'),
  members: (world) => read(world, 'members', 'members'),
  initialSync,
  initialSyncOf50,
  delivery,
  fanOut,
};

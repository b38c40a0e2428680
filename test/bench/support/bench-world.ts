import type { ServerCpu } from './cpu-time.ts';
import type { BenchUser, MatrixClient } from './matrix-client.ts';
import { timed } from './stats.ts';

export interface BenchWorld {
  client: MatrixClient;
  /** Members of `room`; the first created it. */
  users: readonly BenchUser[];
  room: string;
  /** CPU time of the server so far, where its processes are known. */
  cpu?: (() => Promise<ServerCpu>) | undefined;
}

export const TEXT =
  'The quick brown fox jumps over the lazy dog, again and again, until the line is of an ordinary length.';

/** Users who have rooms of their own too, and whose initial syncs are measured. */
const ACCOUNTS = 25;
const OWN_ROOMS = 2;

/**
 * A room with `members` users and some history, on which most figures run, and another one of the same users. The
 * accounts are in four rooms, and stay in four: what creates and joins rooms has users of its own.
 */
export async function makeWorld(client: MatrixClient, members: number): Promise<BenchWorld> {
  const users = await registerUsers(client, members);
  const owner = at(users, 0);
  const [room, lobby] = [await client.createRoom(owner), await client.createRoom(owner)];
  for (const shared of [room, lobby]) await timed(users.length - 1, 4, (i) => client.join(at(users, i + 1), shared));
  const owners = accountsOf(users);
  await timed(owners.length * OWN_ROOMS, 4, (i) => client.createRoom(at(owners, i)));
  await timed(100, 8, (i) => client.send(at(users, i), room, TEXT));
  return { client, users, room };
}

/** Those whose initial syncs are measured. */
export function accountsOf(users: readonly BenchUser[]): readonly BenchUser[] {
  return users.slice(0, ACCOUNTS);
}

export async function registerUsers(client: MatrixClient, count: number): Promise<BenchUser[]> {
  const users: BenchUser[] = [];
  await timed(count, 4, async () => {
    users.push(await client.register());
  });
  return users;
}

/** The users in turn. */
export function at(users: readonly BenchUser[], index: number): BenchUser {
  const user = users[index % users.length];
  if (user === undefined) throw new Error('no users');
  return user;
}

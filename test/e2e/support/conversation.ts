import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient, Direction, EventType, type MatrixClient, MsgType, Preset, MatrixError } from 'matrix-js-sdk';
import { type Logger, logger as globalLogger } from 'matrix-js-sdk/lib/logger.js';
import { waitFor } from '../../support/wait-for.ts';

/** A user and the client that speaks for it. */
export interface Person {
  userId: string;
  password: string;
  client: MatrixClient;
}

export interface Conversation {
  roomId: string;
  /** Ids of all messages, in the order in which they were said. */
  eventIds: readonly string[];
  people: readonly Person[];
}

const TIMEOUT_MS = 30_000;

const silent = (): void => undefined;

/** The SDK tells of every request; what matters here is thrown. */
const logger: Logger = {
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  getChild: () => logger,
};

// Parts of the SDK write to a logger of their own; its level can be set, which its type does not tell.
if ('setLevel' in globalLogger && typeof globalLogger.setLevel === 'function') {
  Reflect.apply(globalLogger.setLevel, globalLogger, ['silent', false]);
}

/** Registers a user of a random name and starts a syncing client for it. */
export async function introduce(url: string, name: string, registrationToken?: string): Promise<Person> {
  const anonymous = createClient({ baseUrl: url, localTimeoutMs: TIMEOUT_MS, logger });
  const username = `${name}_${randomBytes(4).toString('hex')}`;
  const password = randomBytes(12).toString('base64url');
  const auth =
    registrationToken === undefined
      ? { type: 'm.login.dummy' }
      : { type: 'm.login.registration_token', token: registrationToken };
  const initial_device_display_name = 'conversation';
  const account = await patiently(() =>
    anonymous.registerRequest({ username, password, auth, initial_device_display_name }),
  );
  return { userId: account.user_id, password, client: await startSyncing(url, account) };
}

const MAX_WAITS = 5;

/** Does as the server asks when it limits the rate: waits as long as it says and tries again. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let waits = 0; ; waits += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MatrixError) || !error.isRateLimitError() || waits >= MAX_WAITS) throw error;
      await pause(Math.min(error.getRetryAfterMs() ?? 1000, TIMEOUT_MS));
    }
  }
}

/** Logs in with a password and starts a syncing client. */
export async function comeBack(url: string, userId: string, password: string): Promise<Person> {
  const anonymous = createClient({ baseUrl: url, localTimeoutMs: TIMEOUT_MS, logger });
  const account = await anonymous.loginRequest({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: userId },
    password,
  });
  return { userId, password, client: await startSyncing(url, account) };
}

interface Account {
  user_id: string;
  access_token?: string;
  device_id?: string;
}

async function startSyncing(url: string, account: Account): Promise<MatrixClient> {
  if (account.access_token === undefined || account.device_id === undefined) {
    throw new Error(`the server gave ${account.user_id} no access token`);
  }
  const client = createClient({
    baseUrl: url,
    userId: account.user_id,
    accessToken: account.access_token,
    deviceId: account.device_id,
    localTimeoutMs: TIMEOUT_MS,
    logger,
  });
  await client.startClient({ initialSyncLimit: 10, pollTimeout: 10_000 });
  await waitFor(() => client.isInitialSyncComplete(), {
    what: `the first sync of ${account.user_id}`,
    timeoutMs: TIMEOUT_MS,
  });
  // No calls here; its manager would go on writing to the console.
  client.matrixRTC.stop();
  return client;
}

/** Stops the clients' sync loops; accounts and rooms stay. */
export function partWays(people: readonly Person[]): void {
  for (const person of people) person.client.stopClient();
}

/** `host` makes a private room, invites `guest`, who sees the invite and joins. */
export async function meet(host: Person, guest: Person, name: string): Promise<string> {
  const { room_id: roomId } = await host.client.createRoom({
    preset: Preset.PrivateChat,
    name,
    invite: [guest.userId],
  });
  await waitFor(() => guest.client.getRoom(roomId)?.getMyMembership() === 'invite', {
    what: `the invite of ${guest.userId} to ${roomId}`,
    timeoutMs: TIMEOUT_MS,
  });
  await guest.client.joinRoom(roomId);
  await waitFor(() => host.client.getRoom(roomId)?.getMember(guest.userId)?.membership === 'join', {
    what: `${guest.userId} to be seen in ${roomId}`,
    timeoutMs: TIMEOUT_MS,
  });
  return roomId;
}

/** Says `text` and waits until `listener` has heard it. */
export async function say(speaker: Person, listener: Person, roomId: string, text: string): Promise<string> {
  const { event_id: eventId } = await speaker.client.sendEvent(roomId, EventType.RoomMessage, {
    msgtype: MsgType.Text,
    body: text,
  });
  await waitFor(() => listener.client.getRoom(roomId)?.findEventById(eventId)?.getContent()['body'] === text, {
    what: `"${text}" to reach ${listener.userId}`,
    timeoutMs: TIMEOUT_MS,
  });
  return eventId;
}

/** Ids of the room's messages, oldest first, read from the newest back to the start through `/messages`. */
export async function pageBack(person: Person, roomId: string): Promise<string[]> {
  const found: string[] = [];
  let from: string | null = null;
  for (let page = 0; page < 1000; page += 1) {
    const answer: { chunk: { event_id: string; type: string }[]; end?: string } =
      await person.client.createMessagesRequest(roomId, from, 7, Direction.Backward);
    found.push(...answer.chunk.filter((e) => e.type === 'm.room.message').map((e) => e.event_id));
    if (answer.end === undefined || answer.chunk.length === 0) return found.reverse();
    from = answer.end;
  }
  throw new Error(`${roomId} has no end when paging back`);
}

/**
 * Two people register, meet in a room, talk in both directions, and one pages back through all of it.
 * Rejects when anything is missing, doubled or out of order.
 */
export async function converse(url: string, exchanges: number, registrationToken?: string): Promise<Conversation> {
  const alice = await introduce(url, 'alice', registrationToken);
  const bob = await introduce(url, 'bob', registrationToken);
  const roomId = await meet(alice, bob, 'Quickstart');
  const eventIds: string[] = [];
  for (let i = 1; i <= exchanges; i += 1) {
    eventIds.push(await say(alice, bob, roomId, `Hello Bob, number ${i}`));
    eventIds.push(await say(bob, alice, roomId, `Hello Alice, number ${i}`));
  }
  const history = await pageBack(bob, roomId);
  if (history.join() !== eventIds.join()) {
    throw new Error(
      `paging back found ${history.length} messages in another order than the ${eventIds.length} that were said`,
    );
  }
  return { roomId, eventIds, people: [alice, bob] };
}

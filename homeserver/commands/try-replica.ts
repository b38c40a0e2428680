import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { openSession } from '../accounts/device-sessions.ts';
import { registerAccount } from '../accounts/register.ts';
import { newUserId } from '../accounts/user-ids.ts';
import { generateKeyring } from '../config/generate-key.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import type { App } from '../http/app.ts';
import type { Logger } from '../log.ts';
import { createHttpExchange } from '../object-store/http-exchange.ts';
import { parseUserId } from '../room/identifiers.ts';
import { selectAccountInUse } from '../storage/tables/accounts.ts';
import { type Replica, startReplica } from './start-replica.ts';

/** What a server did that was started for a moment. */
export interface TryResult {
  /** Rooms that a user of before has joined, by their first sync; null when there is no user. */
  readonly roomsOfUser: number | null;
}

/** A server that was started does not do what servers do. */
export class TryError extends Error {
  override readonly name = 'TryError';
}

/** Least connections that a replica runs with. */
const POOL_SIZE = 4;
const DRAIN_MS = 5000;
const MAX_ANSWER_BYTES = 67_108_864;

/**
 * Starts a server on a copy of a database and uses it as clients do: a user of before syncs, a new one writes. It is cut off: it
 * listens on the loopback address only, speaks to nobody and signs with a key that is thrown away. Throws TryError, UnfitDatabase.
 */
export async function tryReplica(
  config: HomeserverConfig,
  { log, softwareVersion }: { log: Logger; softwareVersion: string },
): Promise<TryResult> {
  const folder = await mkdtemp(join(tmpdir(), 'homeserver-drill-'));
  try {
    const keyringFile = join(folder, 'keyring.json');
    const keyring = generateKeyring(config.serverName, 86_400);
    await writeFile(keyringFile, JSON.stringify(keyring), { mode: 0o600 });
    const replica = await startReplica({ config: cutOff(config, keyringFile), log, softwareVersion, isolated: true });
    return await use(replica).finally(() => replica.stop({ settleMs: 0, drainMs: DRAIN_MS }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function cutOff(config: HomeserverConfig, keyringFile: string): HomeserverConfig {
  const loopback = { host: '127.0.0.1', port: 0 };
  return {
    ...config,
    keyringFile,
    listeners: { http: loopback, metrics: loopback },
    database: { ...config.database, poolSize: POOL_SIZE },
    federation: { mode: 'Disabled' },
    rateLimits: { ...config.rateLimits, enabled: false },
    media: undefined,
    turn: undefined,
    rtc: undefined,
  };
}

async function use({ app, httpPort }: Replica): Promise<TryResult> {
  const client = createClient(`http://127.0.0.1:${httpPort}`);
  try {
    await client.ask('GET', '/readyz');
    await client.ask('GET', '/_matrix/client/versions');
    const roomsOfUser = await syncAsUser(app, client);
    await writeAsNewcomer(app, client);
    return { roomsOfUser };
  } finally {
    client.close();
  }
}

const Synced = z.looseObject({
  next_batch: z.string(),
  rooms: z.looseObject({ join: z.record(z.string(), z.unknown()).default({}) }).prefault({}),
});
const FILTER = JSON.stringify({ room: { timeline: { limit: 1 }, state: { lazy_load_members: true } } });

/** The first sync of a device that a user of before gets for this. Undone with the copy. */
async function syncAsUser(app: App, client: Client): Promise<number | null> {
  const account = await selectAccountInUse(app.store.db);
  const userId = account && parseUserId(account.user_id);
  if (account === undefined || userId === undefined) return null;
  const { session } = await app.store.db.transaction((db) => openSession(db, { userId, userNo: account.user_no }));
  const path = `/_matrix/client/v3/sync?timeout=0&filter=${encodeURIComponent(FILTER)}`;
  const synced = Synced.safeParse(await client.ask('GET', path, { token: session.accessToken }));
  if (!synced.success) throw new TryError('a sync is not answered as the specification says');
  return Object.keys(synced.data.rooms.join).length;
}

const Room = z.looseObject({ room_id: z.string() });
const Sent = z.looseObject({ event_id: z.string() });

/** Numbers and positions go on: a new user makes a room, says something and finds it there. */
async function writeAsNewcomer(app: App, client: Client): Promise<void> {
  const userId = newUserId(app, `drill-${randomBytes(8).toString('hex')}`);
  const account = { userId, password: randomBytes(24).toString('base64url'), device: {} };
  const session = await registerAccount(app, account);
  if (session === undefined) throw new TryError('a new account got no session');
  const token = session.accessToken;
  const made = Room.parse(await client.ask('POST', '/_matrix/client/v3/createRoom', { token, body: {} }));
  const room = `/_matrix/client/v3/rooms/${encodeURIComponent(made.room_id)}`;
  const body = { msgtype: 'm.text', body: 'drill' };
  const sent = Sent.parse(await client.ask('PUT', `${room}/send/m.room.message/drill`, { token, body }));
  await client.ask('GET', `${room}/event/${encodeURIComponent(sent.event_id)}`, { token });
}

interface Client {
  /** The JSON of an answer with status 200. Throws TryError. */
  ask(method: string, path: string, with_?: { token?: string; body?: object }): Promise<unknown>;
  close(): void;
}

function createClient(base: string): Client {
  const http = createHttpExchange();
  return {
    close: () => {
      http.close();
    },
    async ask(method, path, { token, body } = {}) {
      const headers = {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const url = new URL(`${base}${path}`);
      const answer = await http.send({ method, url, headers, body: bytes, maxBytes: MAX_ANSWER_BYTES });
      // Neither the answer nor ids in the path belong into a message.
      const what = `${method} ${path.replace(/\?.*$/, '').replaceAll(/\/rooms\/[^/]+/g, '/rooms/…')}`;
      if (answer.status !== 200) throw new TryError(`${what} is answered ${answer.status}`);
      return parseJson(answer.body.toString('utf8'));
    },
  };
}

/** Probes answer with text. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

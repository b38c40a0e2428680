import { afterAll, beforeAll, expect, test } from 'vitest';
import { ADMIN_ROUTES } from '../../homeserver/http/admin/routes.ts';
import { CLIENT_SERVER_ROUTES } from '../../homeserver/http/client-server/routes.ts';
import { SERVER_SERVER_ROUTES } from '../../homeserver/http/server-server/routes.ts';
import { startHomeserver, type TestHomeserver, type TestUser } from '../support/homeserver.ts';
import { type OddRequest, sampleOddRequests } from '../support/odd-requests.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';

// Every endpoint with what no client should send. `FUZZ_REQUESTS=20000 FUZZ_SEED=7` for a longer run.
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 2000);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
const AT_ONCE = 8;
/** Longer than any answer may take: long polls are cut short by the configuration. */
const STUCK_MS = 20_000;

const ROUTES = [...CLIENT_SERVER_ROUTES, ...SERVER_SERVER_ROUTES, ...ADMIN_ROUTES];
/** They may end the session that asks: one that nothing else needs. */
const ENDS_SESSIONS = new Set(['logout', 'logout_all', 'changePassword', 'deleteDevice', 'deleteDevices']);

let server: TestHomeserver;
let alice: RoomClient;
let spare: TestUser;
let roomId: string;
let eventId: string;
beforeAll(async () => {
  const sync = { maxTimeoutMs: 100 };
  server = await startHomeserver({ replicas: 2, spread: true, config: { sync, presence: { mode: 'Enabled' } } });
  alice = await newClient(server, 'alice');
  spare = await server.register('spare');
  // So that the endpoints for administrators are asked, too.
  const client = await server.database.connect();
  await client.query('update accounts set admin = true');
  roomId = await alice.createRoom({ preset: 'public_chat', name: 'fuzzed' });
  eventId = await alice.send(roomId, 'hello');
});
afterAll(() => server.stop());

/** A value that leads somewhere for the parameters that the sample leaves alone. */
function usual(name: string): string {
  const known: Record<string, string> = {
    roomId,
    roomIdOrAlias: roomId,
    eventId,
    userId: alice.userId,
    eventType: 'm.room.message',
  };
  return known[name] ?? 'com.example.odd';
}

function pathOf({ path: pattern, params, query }: OddRequest): string {
  let at = 0;
  const path = pattern.replace(/:(\w+)/g, (_, name: string) => encode(params[at++] ?? usual(name)));
  const pairs = query.map(([key, value]) => `${encode(key)}=${encode(value)}`);
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}

/** Lone surrogates cannot be percent-encoded: they go as bytes that are no UTF-8. */
function encode(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : '%ff%c0';
}

/** The token of the spare user, who logs in again once it is known to have ended. */
async function spareToken(): Promise<string> {
  const { status } = await server.request('GET', '/_matrix/client/v3/account/whoami', { token: spare.token });
  if (status === 401) spare = await server.login(spare);
  return spare.token;
}

async function ask(sent: OddRequest, path: string): Promise<Response> {
  const { method, operationId } = sent.route;
  const token = ENDS_SESSIONS.has(operationId) ? await spareToken() : alice.user.token;
  const hasBody = method === 'PUT' || method === 'POST';
  return fetch(server.url(path.length % 2) + path, {
    method,
    headers: { authorization: sent.authorization ?? `Bearer ${token}`, 'content-type': sent.contentType },
    signal: AbortSignal.timeout(STUCK_MS),
    ...(hasBody && { body: sent.body }),
  });
}

async function fault(sent: OddRequest, statuses: Map<string, Set<number>>): Promise<string | undefined> {
  const path = pathOf(sent);
  const { operationId } = sent.route;
  const says = (what: string) => `${operationId} ${path.slice(0, 300)}: ${what}, seed ${SEED}`;
  try {
    const response = await ask(sent, path);
    const { status } = response;
    statuses.get(operationId)?.add(status);
    const text = await response.text();
    if (status >= 500) return says(`${status} ${text} for ${String(sent.body).slice(0, 500)}`);
    const answer: unknown = JSON.parse(text);
    const isError = typeof answer === 'object' && answer !== null && 'errcode' in answer;
    return status >= 400 && status !== 401 && !isError ? says(`no errcode in ${text}`) : undefined;
  } catch (error) {
    return says(String(error));
  }
}

test(`${REQUESTS} odd requests to every endpoint are answered, none by a failure of the server`, async () => {
  const requests = sampleOddRequests(ROUTES, REQUESTS, SEED);
  const statuses = new Map(ROUTES.map(({ operationId }) => [operationId, new Set<number>()]));
  const faults: string[] = [];
  const worker = async () => {
    for (let next = requests.pop(); next !== undefined; next = requests.pop()) {
      const found = await fault(next, statuses);
      if (found !== undefined) faults.push(found);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  expect(faults.slice(0, 20)).toEqual([]);
  expect([...statuses].filter(([, seen]) => seen.size === 0).map(([name]) => name)).toEqual([]);
  // Not the room from before: among the odd requests are some that leave it.
  const after = await alice.createRoom();
  for (const replica of [0, 1]) {
    expect((await server.request('GET', '/readyz', { replica })).status).toBe(200);
    expect(await alice.at(replica).get('/joined_rooms')).toMatchObject({
      joined_rooms: expect.arrayContaining([after]) as unknown,
    });
  }
}, 600_000);

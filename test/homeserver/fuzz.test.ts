import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLIENT_SERVER_ROUTES } from '../../homeserver/http/client-server/routes.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';

// Every endpoint with what no client should send. `FUZZ_REQUESTS=20000 FUZZ_SEED=7` for a longer run.
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 2000);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
const AT_ONCE = 8;
/** Longer than any answer may take: long polls are cut short by the configuration. */
const STUCK_MS = 20_000;

let server: TestHomeserver;
let alice: RoomClient;
let roomId: string;
let eventId: string;
beforeAll(async () => {
  const sync = { maxTimeoutMs: 100 };
  server = await startHomeserver({ replicas: 2, spread: true, config: { sync, presence: { mode: 'Enabled' } } });
  alice = await newClient(server, 'alice');
  roomId = await alice.createRoom({ preset: 'public_chat', name: 'fuzzed' });
  eventId = await alice.send(roomId, 'hello');
});
afterAll(() => server.stop());

/** They end the session that the others need, or cost a password hash each. */
const LEFT_OUT = new Set([
  'logout',
  'logout_all',
  'changePassword',
  'deleteDevice',
  'deleteDevices',
  'register',
  'login',
]);
const ROUTES = CLIENT_SERVER_ROUTES.filter((route) => !LEFT_OUT.has(route.operationId));

const ODD_TEXTS = [
  '',
  ' ',
  '.',
  '..',
  '%',
  '\0',
  'a\0b',
  '\ud800',
  '\u202e',
  '💥'.repeat(70),
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(5000),
  "'; drop table rooms; --",
  '$1',
  '{}',
  '__proto__',
  'constructor',
  '-1',
  '1e400',
  '9007199254740993',
  'NaN',
  '@:',
  '!:',
  '#:',
  '$',
  '@alice:test.example',
  '@nobody:test.example',
  '@remote:other.example',
  '#none:test.example',
  '!none:test.example',
  's1.p5',
  's99999999999.t1-1',
  'p1_-5',
];

const oddText = fc.oneof(fc.constantFrom(...ODD_TEXTS), fc.string({ unit: 'binary', maxLength: 40 }));
const oddNumber = fc.constantFrom(
  0,
  -0,
  -1,
  1.5,
  1e21,
  1e308,
  -1e308,
  2 ** 53,
  -(2 ** 53),
  2 ** 31,
  4_102_444_800_000,
  -62_135_596_800_000,
);
const KEYS = [
  'type',
  'content',
  'user_id',
  'filter',
  'limit',
  'rooms',
  'room',
  'timeline',
  'membership',
  'reason',
  'event_id',
  'ts',
];
const MORE_KEYS = [
  'state_key',
  'preset',
  'invite',
  'initial_state',
  'search_term',
  'search_categories',
  'order',
  'tags',
  'body',
  'msgtype',
];
const RELATED = [
  'm.relates_to',
  'rel_type',
  'm.in_reply_to',
  'creation_content',
  'room_version',
  'power_level_content_override',
  'users',
];
const oddKey = fc.oneof(fc.constantFrom(...KEYS, ...MORE_KEYS, ...RELATED), oddText);
const { value: oddValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: false },
    oddText,
    oddNumber,
    fc.constantFrom(true, false, null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(oddKey, tie('value')), { maxLength: 6 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

const RAW_BODIES = [
  '',
  '[',
  'null',
  '"text"',
  '{"a":1}{"a":2}',
  '{"a":1e999,"b":-0}',
  '{"content":{"body":"\\ud800"}}',
  '{"content":{"body":"\\u0000"}}',
  '{"a":1,"a":2}',
  '{"\\\\":1,"\\n":2}',
  '['.repeat(5000),
  `${'{"a":'.repeat(90)}1${'}'.repeat(90)}`,
  `${'['.repeat(200)}${']'.repeat(200)}`,
  `{"body":"${'x'.repeat(70_000)}"}`,
  `{"body":"${'x'.repeat(1_100_000)}"}`,
];
const CONTENT_TYPES = [
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'nonsense',
  ';;',
];
const QUERY_KEYS = [
  'limit',
  'from',
  'to',
  'dir',
  'filter',
  'since',
  'timeout',
  'at',
  'ts',
  'order_by',
  'user_id',
  'via',
  'room_id',
  'membership',
];

const request = fc.record({
  route: fc.constantFrom(...ROUTES),
  params: fc.array(fc.option(oddText, { nil: undefined, freq: 3 }), { minLength: 6, maxLength: 6 }),
  query: fc.array(fc.tuple(fc.oneof(fc.constantFrom(...QUERY_KEYS), oddText), oddText), { maxLength: 4 }),
  body: fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .array(fc.tuple(oddKey, oddValue), { maxLength: 8 })
        .map((all) => JSON.stringify(Object.fromEntries(all))),
    },
    { weight: 2, arbitrary: fc.constantFrom(...RAW_BODIES) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => new Uint8Array(bytes)) },
  ),
  contentType: fc.constantFrom(...CONTENT_TYPES),
});
type Request = ReturnType<typeof sampled>[number];

function sampled() {
  return fc.sample(request, { numRuns: REQUESTS, seed: SEED });
}

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

function pathOf({ route, params, query }: Request): string {
  let at = 0;
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => encode(params[at++] ?? usual(name)));
  const pairs = query.map(([key, value]) => `${encode(key)}=${encode(value)}`);
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}

/** Lone surrogates cannot be percent-encoded: they go as bytes that are no UTF-8. */
function encode(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : '%ff%c0';
}

async function fault(sent: Request): Promise<string | undefined> {
  const path = pathOf(sent);
  const says = (what: string) => `${sent.route.operationId} ${path.slice(0, 300)}: ${what}, seed ${SEED}`;
  try {
    const hasBody = sent.route.method === 'PUT' || sent.route.method === 'POST';
    const response = await fetch(server.url(path.length % 2) + path, {
      method: sent.route.method,
      headers: { authorization: `Bearer ${alice.user.token}`, 'content-type': sent.contentType },
      signal: AbortSignal.timeout(STUCK_MS),
      ...(hasBody && { body: sent.body }),
    });
    const text = await response.text();
    if (response.status >= 500) return says(`${response.status} ${text} for ${String(sent.body).slice(0, 500)}`);
    const answer: unknown = JSON.parse(text);
    const isError = typeof answer === 'object' && answer !== null && 'errcode' in answer;
    return response.status >= 400 && response.status !== 401 && !isError ? says(`no errcode in ${text}`) : undefined;
  } catch (error) {
    return says(String(error));
  }
}

test(`${REQUESTS} odd requests to every endpoint are answered, none by a failure of the server`, async () => {
  const requests = sampled();
  const faults: string[] = [];
  const worker = async () => {
    for (let next = requests.pop(); next !== undefined; next = requests.pop()) {
      const found = await fault(next);
      if (found !== undefined) faults.push(found);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  expect(faults.slice(0, 20)).toEqual([]);
  // Not the room from before: among the odd requests are some that leave it.
  const after = await alice.createRoom();
  for (const replica of [0, 1]) {
    expect((await server.request('GET', '/readyz', { replica })).status).toBe(200);
    expect(await alice.at(replica).get('/joined_rooms')).toMatchObject({
      joined_rooms: expect.arrayContaining([after]) as unknown,
    });
  }
}, 600_000);

import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { byText, SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 3 });
});
afterAll(() => server.stop());

const Rule = z.looseObject({
  rule_id: z.string(),
  enabled: z.boolean(),
  default: z.boolean(),
  actions: z.array(z.unknown()),
});
const Ruleset = z.record(z.enum(['override', 'content', 'room', 'sender', 'underride']), z.array(Rule));
const Rules = z.object({ global: Ruleset });

const path = (kind: string, id: string, rest = '') => `/pushrules/global/${kind}/${encodeURIComponent(id)}${rest}`;
const put = (client: RoomClient, kind: string, id: string, body: object, query = '') =>
  client.request('PUT', path(kind, id, query), { actions: ['notify'], ...body });
const ruleset = async (client: RoomClient) => Rules.parse(await client.get('/pushrules/')).global;
const ownIds = async (client: RoomClient, kind: 'override' | 'content') =>
  (await ruleset(client))[kind].filter((rule) => !rule.default).map((rule) => rule.rule_id);

test('rules are made, placed, changed and deleted, on whichever replica', async () => {
  const alice = await newClient(server);
  for (const id of ['c', 'b', 'a']) expect((await put(alice, 'content', id, { pattern: id })).status).toBe(200);
  expect(await ownIds(alice, 'content')).toEqual(['a', 'b', 'c']);
  expect((await put(alice, 'content', 'd', { pattern: 'd' }, '?before=b')).status).toBe(200);
  expect((await put(alice, 'content', 'a', { pattern: 'a' }, '?after=c')).status).toBe(200);
  expect(await ownIds(alice, 'content')).toEqual(['d', 'b', 'c', 'a']);
  expect((await alice.request('DELETE', path('content', 'b'))).status).toBe(200);
  expect(await ownIds(alice, 'content')).toEqual(['d', 'c', 'a']);
  expect(await alice.get(path('content', 'c'))).toEqual({
    rule_id: 'c',
    pattern: 'c',
    actions: ['notify'],
    enabled: true,
    default: false,
  });
  expect(await alice.get('/pushrules/global/')).toEqual(await ruleset(alice));
});

test('rules keep what they hold, and own ones stand behind the master rule', async () => {
  const alice = await newClient(server);
  const conditions = [
    { kind: 'event_match', key: 'content.body', pattern: 'x' },
    { kind: 'org.example.new', of: { later: [1] } },
  ];
  expect((await put(alice, 'override', '!room:one', { conditions, pattern: 'not for this kind' })).status).toBe(200);
  expect(await alice.get(path('override', '!room:one'))).toMatchObject({ conditions });
  const { override } = await ruleset(alice);
  expect(override.slice(0, 2).map((rule) => rule.rule_id)).toEqual(['.m.rule.master', '!room:one']);
  expect(override[1]).not.toHaveProperty('pattern');
});

test('rules are enabled and given actions, predefined ones too', async () => {
  const alice = await newClient(server);
  await put(alice, 'room', '!room:one', {});
  for (const [kind, id] of [
    ['room', '!room:one'],
    ['underride', '.m.rule.message'],
  ] as const) {
    expect(await alice.get(path(kind, id, '/enabled'))).toEqual({ enabled: true });
    expect((await alice.request('PUT', path(kind, id, '/enabled'), { enabled: false })).status).toBe(200);
    expect(await alice.get(path(kind, id, '/enabled'))).toEqual({ enabled: false });
    const actions = ['notify', { set_tweak: 'sound', value: 'bing' }, 'dont_notify'];
    expect((await alice.request('PUT', path(kind, id, '/actions'), { actions })).status).toBe(200);
    expect(await alice.get(path(kind, id, '/actions'))).toEqual({ actions });
  }
  await put(alice, 'room', '!room:one', { actions: [] });
  expect(await alice.get(path('room', '!room:one'))).toMatchObject({ enabled: false, actions: [] });
});

test('a change reaches a waiting sync as m.push_rules, also in an initial sync and by its name; nobody else hears of it', async () => {
  const [alice, bob] = [await newClient(server), await newClient(server)];
  const [mine, theirs] = [new SyncReader(server, alice), new SyncReader(server, bob)];
  const dataOf = (answer: Awaited<ReturnType<SyncReader['next']>>) =>
    answer.account_data.events.filter((event) => event.type === 'm.push_rules').map((event) => event.content);
  expect(dataOf(await mine.next())).toEqual([{ global: await ruleset(alice) }]);
  await theirs.next();
  const waiting = mine.next({ timeout: 20_000 });
  await put(alice, 'sender', '@spam:one', { actions: [] });
  const rules = { global: await ruleset(alice) };
  expect(dataOf(await waiting)).toEqual([rules]);
  expect(dataOf(await mine.next())).toEqual([]);
  expect(dataOf(await theirs.next())).toEqual([]);
  expect(dataOf(await mine.sync())).toEqual([rules]);
  expect(await alice.get(`/user/${alice.userId}/account_data/m.push_rules`)).toEqual(rules);
  expect(dataOf(await mine.sync({ filter: { account_data: { not_types: ['m.push_rules'] } } }))).toEqual([]);
});

test('of many changes at once at all replicas none is lost', async () => {
  const alice = await newClient(server);
  const ids = Array.from({ length: 24 }, (_, i) => `rule${i}`);
  const answers = await Promise.all(ids.map((id) => put(alice, 'content', id, { pattern: id })));
  expect(answers.map((answer) => answer.status)).toEqual(ids.map(() => 200));
  expect((await ownIds(alice, 'content')).toSorted(byText)).toEqual(ids.toSorted(byText));
  await Promise.all(ids.map((id) => alice.request('DELETE', path('content', id))));
  expect(await ownIds(alice, 'content')).toEqual([]);
});

const bad = [
  { name: 'a rule id with a dot in front', id: '.mine', body: { pattern: 'x' }, code: 'M_INVALID_PARAM' },
  { name: 'a rule id with a slash', id: 'a/b', body: { pattern: 'x' }, code: 'M_INVALID_PARAM' },
  { name: 'a rule id with a backslash', id: 'a\\b', body: { pattern: 'x' }, code: 'M_INVALID_PARAM' },
  { name: 'no pattern', id: 'x', body: {}, code: 'M_MISSING_PARAM' },
  { name: 'a pattern that is too long', id: 'x', body: { pattern: 'x'.repeat(300) }, code: 'M_INVALID_PARAM' },
  { name: 'no actions', id: 'x', body: { pattern: 'x', actions: undefined }, code: 'M_MISSING_PARAM' },
  { name: 'an unknown action', id: 'x', body: { pattern: 'x', actions: ['stop'] }, code: 'M_INVALID_PARAM' },
  { name: 'a condition without a kind', id: 'x', body: { pattern: 'x', conditions: [{}] }, code: 'M_INVALID_PARAM' },
  { name: 'no such neighbour', id: 'x', body: { pattern: 'x' }, query: '?before=nobody', code: 'M_UNKNOWN' },
  {
    name: 'a predefined neighbour',
    id: 'x',
    body: { pattern: 'x' },
    query: '?after=.m.rule.master',
    code: 'M_UNKNOWN',
  },
];

test.for(bad)('$name is refused', async ({ id, body, query, code }) => {
  const alice = await newClient(server);
  expect(await put(alice, 'content', id, body, query)).toMatchObject({ status: 400, body: { errcode: code } });
  expect(await ownIds(alice, 'content')).toEqual([]);
});

test('unknown kinds and rules are refused, predefined ones are not deleted', async () => {
  const alice = await newClient(server);
  expect(await put(alice, 'device', 'x', {})).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
  const none = { status: 404, body: { errcode: 'M_NOT_FOUND' } };
  for (const rest of ['', '/enabled', '/actions'])
    expect(await alice.request('GET', path('room', '!none:one', rest))).toMatchObject(none);
  expect(await alice.request('DELETE', path('room', '!none:one'))).toMatchObject(none);
  expect(await alice.request('DELETE', path('override', '.m.rule.master'))).toMatchObject(none);
  expect(await alice.request('PUT', path('room', '!none:one', '/enabled'), { enabled: true })).toMatchObject(none);
  expect(await alice.request('PUT', path('room', '!none:one', '/actions'), { actions: [] })).toMatchObject(none);
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { byText } from '../support/sync-reader.ts';
import { statementsDuring } from '../support/count-statements.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
});
afterAll(() => server.stop());

const Hierarchy = z.looseObject({
  rooms: z.array(
    z.looseObject({ room_id: z.string(), children_state: z.array(z.looseObject({ state_key: z.string() })) }),
  ),
  next_batch: z.string().optional(),
});
type Hierarchy = z.infer<typeof Hierarchy>;

const pathOf = (roomId: string, params: Record<string, string> = {}) =>
  `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}/hierarchy?${new URLSearchParams(params).toString()}`;
const hierarchy = async (client: RoomClient, roomId: string, params: Record<string, string> = {}) =>
  Hierarchy.parse(await client.get(pathOf(roomId, params)));
const idsOf = (answer: Hierarchy) => answer.rooms.map((room) => room.room_id);
const newSpace = (more: object = {}) => alice.createRoom({ creation_content: { type: 'm.space' }, ...more });
const addChild = (space: string, room: string, more: object = {}) =>
  alice.setState(space, 'm.space.child', { via: [server.serverName], ...more }, room);

test('the tree is walked depth first, children in their order, and what was taken away is not there', async () => {
  const [root, inner] = [await newSpace(), await newSpace()];
  const [a, b, c, gone] = [
    await alice.createRoom(),
    await alice.createRoom(),
    await alice.createRoom(),
    await alice.createRoom(),
  ];
  await addChild(root, c);
  await addChild(root, inner, { order: 'b' });
  await addChild(root, a, { order: 'a' });
  await addChild(root, gone);
  await alice.setState(root, 'm.space.child', {}, gone);
  await addChild(inner, b);
  const answer = await hierarchy(alice, root);
  expect(idsOf(answer)).toEqual([root, a, inner, b, c]);
  expect(answer.rooms[0]?.children_state.map((child) => child.state_key)).toEqual([a, inner, c]);
  expect(answer.rooms[0]).toMatchObject({ room_type: 'm.space', room_version: '12' });
  expect(answer.rooms[1]?.children_state).toEqual([]);
});

test('a loop of spaces ends, and a room in two spaces comes once', async () => {
  const [first, second, room] = [await newSpace(), await newSpace(), await alice.createRoom()];
  await addChild(first, second);
  await addChild(second, first);
  await addChild(first, room);
  await addChild(second, room);
  expect(idsOf(await hierarchy(alice, first)).toSorted(byText)).toEqual([first, second, room].toSorted(byText));
});

test('pages together are the whole tree, and a page token belongs to its question', async () => {
  const root = await newSpace();
  const rooms = await Promise.all([1, 2, 3, 4].map(() => alice.createRoom()));
  for (const room of rooms) await addChild(root, room);
  const first = await hierarchy(alice, root, { limit: '2' });
  const from = first.next_batch ?? '';
  const second = await hierarchy(alice, root, { limit: '2', from });
  const third = await hierarchy(alice, root, { limit: '2', from: second.next_batch ?? '' });
  expect(third.next_batch).toBeUndefined();
  expect([...idsOf(first), ...idsOf(second), ...idsOf(third)]).toEqual(idsOf(await hierarchy(alice, root)));
  const wrong = [{ from, max_depth: '1' }, { from, suggested_only: 'true' }, { from: 'nonsense' }];
  for (const params of wrong)
    expect(await alice.request('GET', pathOf(root, params))).toMatchObject({
      status: 400,
      body: { errcode: 'M_INVALID_PARAM' },
    });
});

test('max_depth counts links, and only suggested rooms come when only they are asked for', async () => {
  const [root, inner, room, suggested] = [
    await newSpace(),
    await newSpace(),
    await alice.createRoom(),
    await alice.createRoom(),
  ];
  await addChild(root, inner);
  await addChild(inner, room);
  await addChild(root, suggested, { suggested: true });
  expect(idsOf(await hierarchy(alice, root, { max_depth: '0' }))).toEqual([root]);
  expect(idsOf(await hierarchy(alice, root, { max_depth: '1' }))).toEqual([root, inner, suggested]);
  const only = await hierarchy(alice, root, { suggested_only: 'true' });
  expect(idsOf(only)).toEqual([root, suggested]);
  expect(only.rooms[0]?.children_state.map((child) => child.state_key)).toEqual([suggested]);
});

test('rooms that the reader could not join or look into are left out', async () => {
  const root = await newSpace({ preset: 'public_chat' });
  const rule = (join_rule: string, allow?: object[]) => ({
    initial_state: [{ type: 'm.room.join_rules', content: { join_rule, ...(allow && { allow }) } }],
  });
  const hidden = await alice.createRoom();
  const ruleless = await alice.createRoom({ ...rule('knock'), room_version: '6' });
  const open = await alice.createRoom({ preset: 'public_chat' });
  const knockable = await alice.createRoom(rule('knock'));
  const forSpace = await alice.createRoom(rule('restricted', [{ type: 'm.room_membership', room_id: root }]));
  const readable = await alice.createRoom({
    initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }],
  });
  const invited = await alice.createRoom({ invite: [bob.userId] });
  const all = [hidden, ruleless, open, knockable, forSpace, readable, invited];
  for (const room of all) await addChild(root, room);
  const seen = async () => new Set(idsOf(await hierarchy(bob, root)));
  expect(await seen()).toEqual(new Set([root, open, knockable, readable, invited]));
  await bob.join(root);
  expect(await seen()).toEqual(new Set([root, open, knockable, readable, invited, forSpace]));
  expect(new Set(idsOf(await hierarchy(alice, root)))).toEqual(new Set([root, ...all]));
});

test('a space that the reader may not look at is refused, as is one that is not there', async () => {
  const space = await newSpace();
  for (const id of [space, '!nowhere:test.example'])
    expect(await bob.request('GET', pathOf(id))).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
});

test('a level of many rooms costs as many statements as one of few', async () => {
  const [few, many] = [await newSpace(), await newSpace()];
  await addChild(few, await alice.createRoom());
  for (let i = 0; i < 6; i += 1) await addChild(many, await alice.createRoom());
  const count = async (space: string) =>
    Object.groupBy(await statementsDuring(server.replicas[0], () => alice.at(0).get(pathOf(space))), (name) => name);
  await count(few);
  const [ofMany, ofFew] = [await count(many), await count(few)];
  // Statements of work in the background may fall into either; those of the request itself are in both.
  const own = Object.keys(ofFew).filter((name) => ofMany[name] !== undefined);
  expect(own.length).toBeGreaterThan(3);
  expect(own.filter((name) => (ofMany[name]?.length ?? 0) > (ofFew[name]?.length ?? 0))).toEqual([]);
});

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventIdOf, newClient, type RoomClient } from '../support/room-client.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 3, spread: true });
});
afterAll(() => server.stop());
beforeEach(async () => {
  [alice, bob] = await Promise.all([newClient(server), newClient(server)]);
});

const Answer = z.object({
  notifications: z.array(
    z.object({
      actions: z.array(z.unknown()),
      event: z.looseObject({ event_id: z.string() }),
      read: z.boolean(),
      room_id: z.string(),
      ts: z.number(),
    }),
  ),
  next_token: z.string().optional(),
});

const notifications = async (query: Record<string, string> = {}) =>
  Answer.parse(await bob.get(`/notifications?${new URLSearchParams(query).toString()}`));
const idsOf = (answer: z.infer<typeof Answer>) => answer.notifications.map(({ event }) => event.event_id);

async function roomWithBob(): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  return roomId;
}

const mention = async (roomId: string) =>
  eventIdOf(await alice.trySend(roomId, { msgtype: 'm.text', body: 'you', 'm.mentions': { user_ids: [bob.userId] } }));

test('notifications of all rooms are listed newest first, in pages, with what is read and what was said of them', async () => {
  const [one, two] = [await roomWithBob(), await roomWithBob()];
  const sent: string[] = [];
  for (const room of [one, two, one, two, one]) {
    await alice.trySend(room, { msgtype: 'm.notice', body: 'nothing' });
    sent.unshift(await alice.send(room, 'something'));
  }
  await bob.send(two, 'mine');
  await bob.request('POST', `/rooms/${one}/receipt/m.read/${sent[2] ?? ''}`, {});
  const all = await notifications();
  expect(idsOf(all)).toEqual(sent);
  expect(all.next_token).toBeUndefined();
  expect(all.notifications.map(({ read }) => read)).toEqual([false, false, true, false, true]);
  expect(all.notifications[0]).toMatchObject({
    room_id: one,
    actions: ['notify', { set_tweak: 'sound', value: 'default' }],
  });
  expect(all.notifications[0]?.event).not.toHaveProperty('room_id');
  const pages: string[][] = [];
  let from: string | undefined;
  do {
    const page = await notifications({ limit: '2', ...(from !== undefined && { from }) });
    pages.push(idsOf(page));
    from = page.next_token;
  } while (from !== undefined);
  expect(pages.filter((page) => page.length > 0)).toEqual([sent.slice(0, 2), sent.slice(2, 4), sent.slice(4)]);
});

test('only highlights are listed when only they are asked for; redacted, ignored and forgotten ones never', async () => {
  const roomId = await roomWithBob();
  await alice.send(roomId, 'plain');
  const [first, second] = [await mention(roomId), await mention(roomId)];
  expect(idsOf(await notifications({ only: 'highlight' }))).toEqual([second, first]);
  await alice.redact(roomId, second);
  expect(idsOf(await notifications({ only: 'highlight' }))).toEqual([first]);
  const ignore = (users: object) =>
    bob.request('PUT', `/user/${bob.userId}/account_data/m.ignored_user_list`, { ignored_users: users });
  await ignore({ [alice.userId]: {} });
  expect(idsOf(await notifications())).toEqual([]);
  await ignore({});
  expect(idsOf(await notifications())).toHaveLength(2);
  await bob.act('leave', roomId);
  expect(idsOf(await notifications())).toEqual([]);
});

test('an invite is a notification until it is answered', async () => {
  const roomId = await alice.createRoom({ invite: [bob.userId] });
  const found = await notifications();
  expect(found.notifications).toMatchObject([
    {
      room_id: roomId,
      read: false,
      event: { type: 'm.room.member', state_key: bob.userId, content: { membership: 'invite' } },
    },
  ]);
  await bob.join(roomId);
  expect(idsOf(await notifications())).toEqual([]);
});

test('long stretches without notifications are passed over, and the token leads on', async () => {
  const roomId = await roomWithBob();
  const first = await alice.send(roomId, 'the first one');
  await bob.request('PUT', '/pushrules/global/override/notes', {
    actions: [],
    conditions: [{ kind: 'event_match', key: 'content.body', pattern: 'noise' }],
  });
  for (let i = 0; i < 26; i += 1) await Promise.all(Array.from({ length: 8 }, () => alice.send(roomId, 'noise')));
  expect(idsOf(await notifications())).toEqual([first]);
});

test('a token of elsewhere and a limit of nothing are refused', async () => {
  for (const query of ['from=nonsense', 'limit=0'])
    expect(await bob.request('GET', `/notifications?${query}`)).toMatchObject({
      status: 400,
      body: { errcode: 'M_INVALID_PARAM' },
    });
});

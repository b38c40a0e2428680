import { type MatrixClient, NotificationCountType, PushRuleActionName, PushRuleKind, TweakName } from 'matrix-js-sdk';
import { afterAll, beforeAll, beforeEach, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventIdOf, newClient, type RoomClient } from '../support/room-client.ts';
import { startSyncing } from '../support/sdk-client.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
let client: MatrixClient;
let roomId: string;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 3, spread: true });
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
  client = await startSyncing(server, bob);
});
afterAll(async () => {
  client.stopClient();
  await server.stop();
});
beforeEach(async () => {
  roomId = await alice.createRoom({ preset: 'public_chat' });
  // A third one, so that the room is no direct chat.
  await (await newClient(server)).join(roomId);
  await bob.join(roomId);
  await waitFor(() => client.getRoom(roomId)?.getMyMembership() === 'join', { what: 'the room' });
});

/** Waits until the SDK's room has so many notifications and highlights. */
const counts = (notifications: number, highlights: number) =>
  waitFor(
    () => {
      const room = client.getRoom(roomId);
      const found = [NotificationCountType.Total, NotificationCountType.Highlight].map((type) =>
        room?.getUnreadNotificationCount(type),
      );
      if (found[0] !== notifications || found[1] !== highlights) throw new Error(`there are ${found.join(' and ')}`);
      return true;
    },
    { what: `${notifications} notifications and ${highlights} highlights` },
  );

const say = async (content: object) =>
  eventIdOf(await alice.trySend(roomId, { msgtype: 'm.text', body: 'hello', ...content }));
const HIGHLIGHT = { set_tweak: TweakName.Highlight } as const;

test('a client sees what is unread, reads it, and is told of threads apart', async () => {
  const first = await say({});
  await counts(1, 0);
  await say({ 'm.mentions': { user_ids: [bob.userId] } });
  await counts(2, 1);
  const reply = await say({ 'm.relates_to': { rel_type: 'm.thread', event_id: first } });
  await waitFor(() => client.getRoom(roomId)?.getThreadUnreadNotificationCount(first) === 1, { what: 'the thread' });
  const room = client.getRoom(roomId);
  const last = await waitFor(() => room?.getLiveTimeline().getEvents().at(-1), { what: 'the newest event' });
  await client.sendReadReceipt(last);
  await counts(1, 0);
  await client.sendReadReceipt(await waitFor(() => room?.findEventById(reply), { what: 'the reply' }));
  await counts(0, 0);
});

test('a client changes its push rules, hears of it, and counts by them', async () => {
  await say({ body: 'cake' });
  await counts(1, 0);
  await client.setPushRuleEnabled('global', PushRuleKind.Underride, '.m.rule.message', false);
  await waitFor(() => ruleOf(PushRuleKind.Underride, '.m.rule.message')?.enabled === false, { what: 'the rule' });
  await counts(0, 0);
  const actions = [PushRuleActionName.Notify, HIGHLIGHT];
  await client.addPushRule('global', PushRuleKind.ContentSpecific, 'cake', { pattern: 'cake', actions });
  await counts(1, 1);
  await client.setPushRuleActions('global', PushRuleKind.ContentSpecific, 'cake', [PushRuleActionName.Notify]);
  await counts(1, 0);
  await client.deletePushRule('global', PushRuleKind.ContentSpecific, 'cake');
  await counts(0, 0);
  await client.setPushRuleEnabled('global', PushRuleKind.Underride, '.m.rule.message', true);
  await counts(1, 0);
  await client.setRoomMutePushRule('global', roomId, true);
  await counts(0, 0);
  await client.setRoomMutePushRule('global', roomId, false);
  await counts(1, 0);
});

const ruleOf = (kind: PushRuleKind, id: string) => client.pushRules?.global[kind]?.find((rule) => rule.rule_id === id);

test('a client tags its rooms', async () => {
  const tags = () => client.getRoom(roomId)?.tags;
  await client.setRoomTag(roomId, 'm.favourite', { order: 0.5 });
  await waitFor(() => tags()?.['m.favourite']?.['order'] === 0.5, { what: 'the tag' });
  await client.deleteRoomTag(roomId, 'm.favourite');
  await waitFor(() => tags()?.['m.favourite'] === undefined, { what: 'the end of the tag' });
});

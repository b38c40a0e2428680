import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { ALL_LARGE_BYTES, EVENT_BYTES } from '../../homeserver/sync/large-reads.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { roomId as asRoomId, userId } from '../support/room-story.ts';
import { waitFor } from '../support/wait-for.ts';

/** More than one statement reads. */
const MEMBERS = 2200;

let server: TestHomeserver;
let alice: RoomClient;
let room: string;
beforeAll(async () => {
  // About the memory of one replica.
  server = await startHomeserver({ replicas: 1 });
  alice = await newClient(server, 'alice');
  room = await alice.createRoom({ preset: 'public_chat' });
  const joins = Array.from({ length: MEMBERS }, (_, n) => {
    const user = memberOf(n);
    return {
      type: 'm.room.member',
      stateKey: user,
      sender: user,
      content: { membership: 'join', displayname: `${n}` },
    };
  });
  for (let at = 0; at < MEMBERS; at += 64) await replica().app.writer.sendAll(asRoomId(room), joins.slice(at, at + 64));
});
afterAll(() => server.stop());

const memberOf = (n: number) => userId(`@m${n}:${server.serverName}`);

function replica() {
  const [first] = server.replicas;
  if (first === undefined) throw new Error('no replica');
  return first;
}

/** The answer as text: checking thousands of events against the specification would take longer than the test. */
async function read(path: string): Promise<{ status: number; text: string }> {
  const headers = { authorization: `Bearer ${alice.user.token}` };
  const answer = await fetch(`${server.url()}/_matrix/client/v3${path}`, { headers });
  return { status: answer.status, text: await answer.text() };
}

const inRoom = (path: string) => `/rooms/${encodeURIComponent(room)}/${path}`;
const Members = z.object({ chunk: z.array(z.looseObject({ state_key: z.string() })) });
const everybody = () => [alice.userId, ...Array.from({ length: MEMBERS }, (_, n) => memberOf(n))];

test('all members of a large room are in its lists, in the order in which they came', async () => {
  const list = Members.parse(JSON.parse((await read(inRoom('members'))).text));
  expect(list.chunk.map((event) => event.state_key)).toEqual(everybody());
  const profiles = z.object({ joined: z.record(z.string(), z.unknown()) });
  const { joined } = profiles.parse(JSON.parse((await read(inRoom('joined_members'))).text));
  expect(Object.keys(joined)).toEqual(everybody());
  expect(joined[memberOf(2199)]).toEqual({ display_name: '2199', avatar_url: null });
});

test('all state of a large room is in an initial sync, whichever way it is put together', async () => {
  const State = z.array(z.looseObject({ state_key: z.string() }));
  const Sync = z.object({
    rooms: z.object({ join: z.record(z.string(), z.looseObject({ state: z.object({ events: State }) })) }),
  });
  const ready = '/sync?use_state_after=false';
  const chosen = `/sync?filter=${encodeURIComponent(JSON.stringify({ room: { state: { not_types: ['x'] } } }))}`;
  for (const path of [ready, chosen, ready]) {
    const { rooms } = Sync.parse(JSON.parse((await read(path)).text));
    const given = rooms.join[room]?.state.events.map((event) => event.state_key) ?? [];
    // The newest twenty are in the timeline.
    for (const user of everybody().slice(0, -20)) expect(given).toContain(user);
  }
  const all = State.parse(JSON.parse((await read(inRoom('state'))).text)).map((event) => event.state_key);
  expect(all.length).toBeGreaterThan(MEMBERS);
  expect(new Set(all)).toEqual(new Set([...all, ...everybody()]));
});

test('many large answers at once stay under what they may take together, small ones go by, and nobody is refused', async () => {
  const { largeReads } = replica().app.sync;
  let most = 0;
  const look = setInterval(() => (most = Math.max(most, largeReads.figures().bytes)), 1);
  // As if somebody were slow to take an answer: one more fits beside it.
  const SLOW = ALL_LARGE_BYTES - 1.5 * MEMBERS * EVENT_BYTES;
  largeReads.begin(0, SLOW);
  const paths = [inRoom('state'), '/sync', inRoom('members?not_membership=ban')];
  const answers = Array.from({ length: 12 }, (_, i) => read(paths[i % paths.length] ?? ''));
  await waitFor(() => largeReads.figures().waiting > 0, { what: 'an answer to wait' });
  expect((await read('/account/whoami')).status).toBe(200);
  expect((await read(inRoom('messages?dir=b'))).status).toBe(200);
  largeReads.end(0, SLOW);
  expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(new Set([200]));
  clearInterval(look);
  expect(most).toBeGreaterThan(SLOW);
  expect(most).toBeLessThanOrEqual(ALL_LARGE_BYTES);
  await waitFor(() => largeReads.figures().bytes === 0, { what: 'all answers to be sent' });
});

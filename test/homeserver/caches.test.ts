import { afterAll, beforeAll, expect, test } from 'vitest';
import { CACHES } from '../../homeserver/caches.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { byText, SyncReader } from '../support/sync-reader.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
let alice: RoomClient;
beforeAll(async () => {
  // About the memory of one replica.
  server = await startHomeserver({ replicas: 1, config: { presence: { mode: 'Enabled' } } });
  alice = await newClient(server, 'alice');
});
afterAll(() => server.stop());

type Figure = 'entries' | 'bytes' | 'hits_total' | 'misses_total';

/** Cache -> a figure of it, as the metrics have it. */
async function read(figure: Figure): Promise<Map<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${server.replicas[0]?.metricsPort}/metrics`)).text();
  const line = new RegExp(`^matrix_homeserver_cache_${figure}\\{cache="(\\w+)"\\} (\\d+)$`, 'gm');
  return new Map([...text.matchAll(line)].map(([, cache = '', value]) => [cache, Number(value)]));
}

const names = Object.keys(CACHES).toSorted(byText);

/** A bit of everything, so that hardly a cache stays empty. */
async function live(): Promise<void> {
  const bob = new SyncReader(server, await newClient(server));
  bob.defaults = { filter: { room: { state: { lazy_load_members: true }, timeline: { limit: 3 } } } };
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await alice.send(roomId, 'before');
  await bob.client.join(roomId);
  await bob.next();
  for (let i = 0; i < 5; i += 1) await alice.send(roomId, `${i}`);
  const answer = await bob.client.request('POST', `/user/${bob.client.userId}/filter`, {
    room: { timeline: { limit: 2 } },
  });
  expect(answer.status).toBe(200);
  const { filter_id: filter } = answer.body as { filter_id: string };
  await bob.next({ filter });
  await bob.next({ filter, timeout: 1 });
  expect((await bob.client.request('GET', `/rooms/${roomId}/members`)).status).toBe(200);
  await bob.client.act('leave', roomId);
  await bob.messages(roomId, { dir: 'b' });
  await alice.request('PUT', `/rooms/${roomId}/typing/${alice.userId}`, { typing: true });
  expect((await alice.request('GET', `/rooms/${roomId}/members`)).status).toBe(200);
  const reader = new SyncReader(server, alice);
  await reader.messages(roomId, { dir: 'b' });
  await reader.sync();
}

test('every cache tells its entries, bytes, hits and misses', async () => {
  await live();
  for (const figure of ['entries', 'bytes', 'hits_total', 'misses_total'] as const)
    expect([...(await read(figure)).keys()].toSorted(byText)).toEqual(names);
  const [entries, bytes, hits] = await Promise.all([read('entries'), read('bytes'), read('hits_total')]);
  // Those of the federation, of which nothing comes in here.
  const unused = new Set(['auth_chain_places', 'received_rooms', 'state_resolutions']);
  expect(names.filter((name) => !unused.has(name) && entries.get(name) === 0)).toEqual([]);
  expect(names.filter((name) => (entries.get(name) === 0) !== (bytes.get(name) === 0))).toEqual([]);
  for (const name of ['access_tokens', 'room_heads', 'user_numbers', 'event_types', 'recent_commits', 'user_rooms'])
    expect({ name, hits: hits.get(name) }).not.toEqual({ name, hits: 0 });
});

test('a commit of another start of the database server empties every cache', async () => {
  await live();
  const database = await server.database.connect();
  // As a standby that takes over writes it: numbers that were given out after its last copy are given to others.
  await database.query(`insert into commits (position, previous, replica, batch, at, server_start, first_position, rooms, users, refused)
    select position + 1, position, 0, 0, at, server_start + 1, position + 1, '{}', '{}', '{}' from commits order by position desc limit 1`);
  await waitFor(async () => (await read('entries')).get('user_numbers') === 0, {
    what: 'the caches to be emptied',
  });
  const full = [...(await read('entries'))].filter(([, entries]) => entries > 0);
  // The commit itself is the first of the new list. What users did before is written of their presence at any moment.
  expect(full.filter(([name]) => name !== 'presence_changes')).toEqual([['recent_commits', 1]]);
  await live();
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { type SyncAnswer, SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startHomeserver({ replicas: REPLICAS });
});
afterAll(() => server.stop());

const REPLICAS = 4;
const WRITERS = 4;
const ROOMS = 3;
const EVENTS_PER_WRITER = 40;

/** What one reader gathered, room by room. */
class Gathered {
  readonly events = new Map<string, string[]>();
  readonly state = new Map<string, string>();

  add(answer: SyncAnswer): void {
    for (const [roomId, room] of Object.entries(answer.rooms.join)) {
      const known = this.events.get(roomId) ?? [];
      this.events.set(roomId, [...known, ...room.timeline.events.map((event) => event.event_id ?? '')]);
      for (const event of [...(room.state?.events ?? []), ...room.timeline.events]) {
        if (event.state_key !== undefined)
          this.state.set(`${roomId}/${event.type}/${event.state_key}`, event.event_id ?? '');
      }
    }
  }

  count(): number {
    return [...this.events.values()].reduce((sum, ids) => sum + ids.length, 0);
  }
}

/** Sends messages and changes state in all rooms, at alternating replicas. */
async function write(writer: RoomClient, rooms: readonly string[], number: number): Promise<void> {
  for (let i = 0; i < EVENTS_PER_WRITER; i += 1) {
    const at = writer.at(i % REPLICAS);
    const roomId = rooms[(i + number) % rooms.length] ?? '';
    if (i % 8 === 0) await at.setState(roomId, 'com.example.state', { i, number }, `key${number}`);
    else await at.send(roomId, `${number}/${i}`);
  }
}

/** Reads until nothing comes any more after the writers have ended. */
async function readAll(reader: SyncReader, isWriting: () => boolean, options: { limit: number }): Promise<Gathered> {
  const gathered = new Gathered();
  const filter = { room: { timeline: { limit: options.limit } } };
  for (let i = 0; ; i += 1) {
    const ended = !isWriting();
    const answer = await reader.next({ filter, timeout: 100, replica: i % REPLICAS });
    await fillGaps(reader, answer);
    gathered.add(answer);
    if (ended && Object.keys(answer.rooms.join).length === 0) return gathered;
  }
}

/** Puts what a limited timeline left out in front of it, by paging back to the token of the sync before. */
async function fillGaps(reader: SyncReader, answer: SyncAnswer): Promise<void> {
  const previous = previousTokens.get(reader);
  previousTokens.set(reader, answer.next_batch);
  if (previous === undefined) return;
  for (const [roomId, room] of Object.entries(answer.rooms.join)) {
    let from: string | undefined = room.timeline.limited ? room.timeline.prev_batch : undefined;
    while (from !== undefined) {
      const page = await reader.messages(roomId, { dir: 'b', from, to: previous, limit: '3' });
      room.timeline.events.unshift(...page.chunk.toReversed());
      from = page.chunk.length === 0 ? undefined : page.end;
    }
  }
}
const previousTokens = new WeakMap<SyncReader, string>();

test('readers that follow while others write get every event once and in order, and the state that holds', async () => {
  const writers = await Promise.all(Array.from({ length: WRITERS }, () => newClient(server)));
  const owner = writers[0];
  if (owner === undefined) throw new Error('there is no writer');
  const levels = { state_default: 0 };
  const rooms: string[] = [];
  for (let i = 0; i < ROOMS; i += 1) {
    const roomId = await owner.createRoom({ preset: 'public_chat', power_level_content_override: levels });
    for (const writer of writers.slice(1)) await writer.join(roomId);
    rooms.push(roomId);
  }
  const readers = [5, 1, 100].map((limit) => ({ limit, reader: new SyncReader(server, owner) }));
  await Promise.all(readers.map(({ reader }) => fillFirst(reader)));
  let writing = true;
  const reading = readers.map(({ reader, limit }) => readAll(reader, () => writing, { limit }));
  await Promise.all(writers.map((writer, i) => write(writer, rooms, i)));
  writing = false;
  const results = await Promise.all(reading);
  const truth = await Promise.all(
    rooms.map(async (roomId) => ({ roomId, ids: await history(readers[0]?.reader, roomId) })),
  );
  for (const result of results) {
    expect(result.count()).toBe(WRITERS * EVENTS_PER_WRITER);
    for (const { roomId, ids } of truth) {
      const got = result.events.get(roomId) ?? [];
      expect(got).toEqual(ids.slice(-got.length));
    }
    for (const event of (
      await Promise.all(rooms.map((roomId) => owner.state(roomId).then((state) => ({ roomId, state }))))
    ).flatMap(({ roomId, state }) =>
      state.filter(({ type }) => type === 'com.example.state').map((found) => ({ roomId, ...found })),
    )) {
      expect(result.state.get(`${event.roomId}/${event.type}/${event.state_key}`)).toBe(event.event_id);
    }
  }
}, 60_000);

async function fillFirst(reader: SyncReader): Promise<void> {
  previousTokens.set(reader, (await reader.next()).next_batch);
}

/** All event ids of a room, oldest first, read forward. */
async function history(reader: SyncReader | undefined, roomId: string): Promise<string[]> {
  const ids: string[] = [];
  let from: string | undefined;
  do {
    const page = await reader?.messages(roomId, { dir: 'f', limit: '7', ...(from !== undefined && { from }) });
    ids.push(...(page?.chunk.map((event) => event.event_id ?? '') ?? []));
    from = page?.end;
  } while (from !== undefined);
  return ids;
}

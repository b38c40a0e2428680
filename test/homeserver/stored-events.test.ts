import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkAuthEvents } from '../../homeserver/room/auth/check-auth-events.ts';
import { authStateOf } from '../../homeserver/room/auth/auth-state.ts';
import { checkEvent } from '../../homeserver/room/auth/check-event.ts';
import { parsePdu, type RoomEvent } from '../../homeserver/room/event-format.ts';
import { hasValidContentHash, referenceTo } from '../../homeserver/room/event-hash.ts';
import { verifyJson } from '../../homeserver/room/event-signature.ts';
import { isJsonObject, type JsonObject } from '../../homeserver/room/json-value.ts';
import { redact } from '../../homeserver/room/redaction.ts';
import { parseStrictJson } from '../../homeserver/room/strict-json.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { ALL_RULES, rulesOf } from '../support/room-story.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
let carol: RoomClient;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 4 });
  [alice, bob, carol] = await Promise.all([
    newClient(server, 'alice'),
    newClient(server, 'bob'),
    newClient(server, 'carol'),
  ]);
});
afterAll(() => server.stop());

/** A room with something of everything, written by both replicas. */
async function livelyRoom(version: string): Promise<string> {
  const body = { room_version: version, name: 'lively', preset: 'public_chat', invite: [bob.userId] };
  const roomId = await alice.createRoom(body);
  await Promise.all([bob.join(roomId), carol.at(1).join(roomId)]);
  const levels = (await alice.getState(roomId, 'm.room.power_levels')).body as { users: object };
  await alice.setState(roomId, 'm.room.power_levels', { ...levels, users: { ...levels.users, [bob.userId]: 50 } });
  const first = await carol.send(roomId, 'first "quoted" \\ é 😀');
  const talk = [alice, bob.at(1), carol].map((client) => client.send(roomId, `by ${client.userId}`));
  await Promise.all([...talk, bob.at(1).setState(roomId, 'm.room.topic', { topic: 'while they talk' })]);
  await bob.redact(roomId, first);
  await bob.at(1).act('kick', roomId, { user_id: carol.userId });
  await alice.act('ban', roomId, { user_id: carol.userId, reason: 'spam' });
  await bob.act('leave', roomId);
  return roomId;
}

interface StoredRow {
  event_id: string;
  json: string;
  state_before: string;
  state_after: string;
  depth: string;
}

async function storedRows(roomId: string): Promise<StoredRow[]> {
  const client = await server.database.connect();
  const { rows } = await client.query<StoredRow>(
    `select event_id, json, state_before, state_after, depth from events e join rooms r using (room_no)
     where r.room_id = $1 order by position`,
    [roomId],
  );
  return rows;
}

function objectOf(json: string): JsonObject {
  const parsed = parseStrictJson(json);
  if (!parsed.ok || !isJsonObject(parsed.value)) throw new Error('not an object');
  return parsed.value;
}

function* referencesOf(pdu: JsonObject): Generator<unknown> {
  for (const key of ['prev_events', 'auth_events']) {
    const list = pdu[key];
    if (Array.isArray(list)) yield* list;
  }
}

test.for(ALL_RULES.map(({ version }) => version))(
  'every stored event of version %s stands up to the checks of another server',
  async (version) => {
    const rules = rulesOf(version);
    const key = server.replicas[0]?.app.keyring.active();
    const known = new Map<string, RoomEvent>();
    const references = new Map<string, unknown>();
    const rows = await storedRows(await livelyRoom(version));
    expect(rows.length).toBeGreaterThan(18);
    for (const row of rows) {
      const pdu = objectOf(row.json);
      const parsed = parsePdu(pdu, rules);
      if (!parsed.ok) throw new Error(parsed.because);
      const { event } = parsed;
      expect(parsed.json).toBe(row.json);
      expect(event.eventId).toBe(row.event_id);
      expect(hasValidContentHash(pdu)).toBe(true);
      expect(verifyJson(redact(pdu, rules), server.serverName, key?.keyId ?? '', key?.publicKeyBase64 ?? '')).toBe(
        true,
      );
      const cited = event.authEvents.flatMap((id) => known.get(id) ?? []);
      expect(cited).toHaveLength(event.authEvents.length);
      const citations = cited.map((auth) => ({ event: auth, rejected: false }));
      expect(checkAuthEvents(event, citations, rules)).toEqual({ allowed: true });
      const create = [...known.values()].filter(({ type }) => type === 'm.room.create');
      expect(checkEvent(event, authStateOf([...create, ...cited]), rules)).toEqual({ allowed: true });
      const parents = event.prevEvents.map((id) => known.get(id)?.depth ?? Number.NaN);
      expect(event.depth).toBe(Math.max(0, ...parents) + 1);
      expect([...referencesOf(pdu)]).toEqual(
        [...event.prevEvents, ...event.authEvents].map((id) => references.get(id)),
      );
      references.set(event.eventId, referenceTo(pdu, event.eventId, rules));
      expect(row.state_before === row.state_after).toBe(event.stateKey === undefined);
      known.set(event.eventId, event);
    }
  },
);

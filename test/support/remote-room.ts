import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import type { ReceivedPdu } from '../../homeserver/pipeline/room-receiver.ts';
import { authEventKeys } from '../../homeserver/room/auth/select-auth-events.ts';
import { finishPdu, signingKeyFromSeed } from '../../homeserver/room/event-signature.ts';
import type { EventId, RoomId } from '../../homeserver/room/identifiers.ts';
import type { JsonObject } from '../../homeserver/room/json-value.ts';
import type { RoomVersionRules } from '../../homeserver/room/room-versions.ts';
import { byText } from './sync-reader.ts';
import { eventId, roomId, rulesOf, serverName, userId } from './room-story.ts';

export const REMOTE_SERVER = 'remote.example';

/** What a user of the other server says. */
export interface RemoteEvent {
  type: string;
  sender: string;
  stateKey?: string;
  content?: JsonObject;
  redacts?: string;
  /** Ids; without them what the room ends in now. */
  parents?: readonly string[];
  /** Ids; without them what the room's state now selects. */
  auth?: readonly string[];
}

const KEY = signingKeyFromSeed('ed25519:remote', randomBytes(32));
const TIPS = `select e.event_id, e.depth::int4 from rooms r join events e on e.event_no = any(r.tips) where r.room_id = $1`;
const DEPTHS = `select event_id, depth::int4 from events where event_id = any($1)`;
const STATE = `
select t.type, k.state_key, e.event_id from rooms r join current_state c on c.room_no = r.room_no
join state_keys k on k.state_key_no = c.state_key_no join event_types t on t.type_no = k.type_no
join events e on e.event_no = c.event_no where r.room_id = $1
union all
select 'm.room.member', u.user_id, e.event_id from rooms r join memberships m on m.room_no = r.room_no and m.membership <> 0
join users u on u.user_no = m.user_no join events e on e.event_no = m.event_no where r.room_id = $1`;

/** A room of ours as a server of others takes part in it: it makes events with ids, hashes and a signature of its own. */
export class RemoteRoom {
  readonly rules: RoomVersionRules;
  readonly roomId: RoomId;
  readonly #client: pg.Client;

  constructor(client: pg.Client, id: string, version: string) {
    this.#client = client;
    this.roomId = roomId(id);
    this.rules = rulesOf(version);
  }

  async event(said: RemoteEvent): Promise<ReceivedPdu> {
    const { type, stateKey, content = {}, redacts } = said;
    const parents = await this.#parents(said.parents);
    const sender = userId(said.sender);
    const auth = said.auth?.map(eventId) ?? (await this.authOf({ type, sender, stateKey, content }));
    const inContent = redacts !== undefined && this.rules.redactsIn === 'content' ? { redacts } : {};
    const onTop = redacts !== undefined && this.rules.redactsIn === 'top-level' ? { redacts: eventId(redacts) } : {};
    const pdu = {
      type,
      sender,
      room_id: this.roomId,
      ...(stateKey !== undefined && { state_key: stateKey }),
      content: { ...content, ...inContent },
      ...onTop,
      depth: Math.max(0, ...parents.map(({ depth }) => depth)) + 1,
      origin_server_ts: Date.now(),
      prev_events: parents.map(({ event_id }) => eventId(event_id)),
      auth_events: auth,
    };
    const { event, json } = finishPdu(pdu, this.rules, serverName(REMOTE_SERVER), KEY);
    return { event, json, redacted: false };
  }

  join(sender: string, parents?: readonly string[]): Promise<ReceivedPdu> {
    const content = { membership: 'join' };
    return this.event({ type: 'm.room.member', sender, stateKey: sender, content, ...(parents && { parents }) });
  }

  message(sender: string, body: string, more: Partial<RemoteEvent> = {}): Promise<ReceivedPdu> {
    const content = { msgtype: 'm.text', body, ...more.content };
    return this.event({ type: 'm.room.message', sender, ...more, content });
  }

  /** What an event selects of the state that the room has now. */
  async authOf(subject: Parameters<typeof authEventKeys>[0]): Promise<EventId[]> {
    const state = await this.state();
    return authEventKeys(subject, this.rules).flatMap(([type, key]) => {
      const id = state.get(`${type} ${key}`);
      return id === undefined ? [] : [eventId(id)];
    });
  }

  /** `type key` -> event id, by the tables. */
  async state(): Promise<Map<string, string>> {
    const { rows } = await this.#client.query<{ type: string; state_key: string; event_id: string }>(STATE, [
      this.roomId,
    ]);
    return new Map(rows.map((row) => [`${row.type} ${row.state_key}`, row.event_id]));
  }

  async tips(): Promise<string[]> {
    return (await this.#parents(undefined)).map((row) => row.event_id).toSorted(byText);
  }

  async #parents(ids: readonly string[] | undefined): Promise<{ event_id: string; depth: number }[]> {
    const [text, value] = ids === undefined ? [TIPS, this.roomId] : [DEPTHS, ids];
    const { rows } = await this.#client.query<{ event_id: string; depth: number }>(text, [value]);
    return rows;
  }
}

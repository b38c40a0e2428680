import { isJsonObject, ownString } from '../room/json-value.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { eventContentJson, eventHeadJson, withUnsigned } from './client-event.ts';
import type { GivenWith } from './client-event.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import { flat, heldBytes, isFresh } from './shared-row.ts';
import type { Standing } from './standing.ts';
import { storedEvent } from './stored-event.ts';
import type { GivenList } from './sync-state.ts';

type ListedRoom = Pick<Standing, 'roomId' | 'rules'>;

interface ListedMember {
  readonly head: string;
  readonly rest: GivenWith;
}

/** Membership events of a room. */
export class MemberList implements GivenList {
  readonly #members: ListedMember[] = [];
  readonly #room: ListedRoom;
  #bytes = 0;
  #body: Buffer | undefined;
  #madeAt = 0;

  constructor(room: ListedRoom) {
    this.#room = room;
  }

  add(row: TimelineRow): void {
    const event = storedEvent(row, this.#room);
    const { roomId, originServerTs, redaction } = event;
    const head = flat(eventHeadJson(event));
    this.#members.push({ head, rest: { roomId, originServerTs, ...(redaction !== undefined && { redaction }) } });
    this.#bytes += 300 + roomId.length + 2 * (heldBytes(head) + heldBytes(redaction?.because?.json ?? ''));
  }

  /** One that was made within a second is given again. */
  body(now: number): Buffer {
    if (this.#body === undefined || !isFresh(this.#madeAt, now)) {
      const view = { now, withRoomId: true };
      const events = this.#members.map(({ head, rest }) => withUnsigned(head, rest, view));
      this.#body = Buffer.from(`{"chunk":[${events.join(',')}]}`);
      this.#madeAt = now;
    }
    return this.#body;
  }

  get bytes(): number {
    return this.#bytes;
  }
}

/** `{"joined": {userId: {display_name, avatar_url}}}`; null for what a member has not. */
export class ProfileList implements GivenList {
  readonly #room: ListedRoom;
  readonly #texts: string[] = [];
  #body: Buffer | undefined;

  constructor(room: ListedRoom) {
    this.#room = room;
  }

  add(row: TimelineRow): void {
    const userId = jsonString(jsonMembers(row.json).get('state_key')) ?? '';
    const parsed = parseLooseJson(eventContentJson(storedEvent(row, this.#room)));
    const content = parsed.ok && isJsonObject(parsed.value) ? parsed.value : {};
    const text = (key: string) => ownString(content, key) ?? null;
    const profile = { display_name: text('displayname'), avatar_url: text('avatar_url') };
    this.#texts.push(`${JSON.stringify(userId)}:${JSON.stringify(profile)}`);
  }

  body(): Buffer {
    this.#body ??= Buffer.from(`{"joined":{${this.#texts.splice(0).join(',')}}}`);
    return this.#body;
  }

  get bytes(): number {
    return this.body().length;
  }
}

import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { eventHeadJson, withUnsigned } from './client-event.ts';
import type { GivenWith } from './client-event.ts';
import { flat, isFresh } from './shared-row.ts';
import type { Standing } from './standing.ts';
import { storedEvent } from './stored-event.ts';

interface ListedMember {
  readonly head: string;
  readonly rest: GivenWith;
}

/** Membership events of a room, ready to be given to anybody who is in it. */
export class MemberList {
  readonly #members: readonly ListedMember[];
  readonly #roomId: string;
  #body: Buffer | undefined;
  #madeAt = 0;

  constructor(rows: readonly TimelineRow[], room: Pick<Standing, 'roomId' | 'rules'>) {
    this.#roomId = room.roomId;
    this.#members = rows.map((row) => {
      const event = storedEvent(row, room);
      const { roomId, originServerTs, redaction } = event;
      const rest = { roomId, originServerTs, ...(redaction !== undefined && { redaction }) };
      return { head: flat(eventHeadJson(event)), rest };
    });
  }

  /** The answer as bytes; one that was made within a second is given again. */
  body(now: number): Buffer {
    if (this.#body === undefined || !isFresh(this.#madeAt, now)) {
      const view = { now, withRoomId: true };
      const events = this.#members.map(({ head, rest }) => withUnsigned(head, rest, view));
      this.#body = Buffer.from(`{"chunk":[${events.join(',')}]}`);
      this.#madeAt = now;
    }
    return this.#body;
  }

  /** About the bytes of memory that it takes, the answer included. */
  get bytes(): number {
    const text = (member: ListedMember) => member.head.length + (member.rest.redaction?.because?.json.length ?? 0);
    return this.#members.reduce((sum, member) => sum + 300 + this.#roomId.length + 2 * text(member), 0);
  }
}

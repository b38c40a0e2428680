import { isFresh, plainText, weightOf } from './shared-row.ts';
import type { SharedRow } from './shared-row.ts';
import type { Standing } from './standing.ts';

/** The state of a room at a snapshot, ready to be given to anybody. */
export class WholeState {
  /** Oldest first. */
  readonly rows: readonly SharedRow[];
  readonly room: Pick<Standing, 'roomNo' | 'roomId' | 'rules'>;
  #text = '';
  #madeAt = Number.NEGATIVE_INFINITY;

  constructor(rows: readonly SharedRow[], { roomNo, roomId, rules }: WholeState['room']) {
    this.rows = rows;
    this.room = { roomNo, roomId, rules };
  }

  /** The events without the room's id, with commas between; what was made within a second is given again. */
  text(now: number): string {
    if (!isFresh(this.#madeAt, now)) {
      const view = { now, withRoomId: false, membership: undefined };
      this.#text = this.rows.map((row) => plainText(row, this.room, view)).join(',');
      this.#madeAt = now;
    }
    return this.#text;
  }

  /** About the bytes of memory that it takes, the text included. */
  get bytes(): number {
    return this.rows.reduce((sum, row) => sum + weightOf(row) + row.head.length + 100, 0);
  }
}

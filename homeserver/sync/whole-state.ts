import { withUnsigned } from './client-event.ts';
import type { JsonPiece } from './json-text.ts';
import { heldBytes, isFresh, weightOf } from './shared-row.ts';
import type { SharedRow } from './shared-row.ts';
import type { Standing } from './standing.ts';
import { storedEvent } from './stored-event.ts';

/** From here on a text is given as bytes: all who get it are sent the same ones. */
const LARGE_TEXT = 256_000;

/** The state of a room at a snapshot, ready to be given to anybody. */
export class WholeState {
  /** Oldest first. */
  readonly rows: readonly SharedRow[];
  readonly room: Pick<Standing, 'roomNo' | 'roomId' | 'rules'>;
  #json: JsonPiece = '';
  #madeAt = Number.NEGATIVE_INFINITY;

  constructor(rows: readonly SharedRow[], { roomNo, roomId, rules }: WholeState['room']) {
    this.rows = rows;
    this.room = { roomNo, roomId, rules };
  }

  /** The events without the room's id, with commas between; what was made within a second is given again. */
  json(now: number): JsonPiece {
    if (!isFresh(this.#madeAt, now)) {
      const view = { now, withRoomId: false };
      const text = this.rows.map((row) => withUnsigned(row.head, storedEvent(row, this.room), view)).join(',');
      this.#json = text.length < LARGE_TEXT ? text : Buffer.from(text);
      this.#madeAt = now;
    }
    return this.#json;
  }

  /** About the bytes of memory that it takes, the text included. */
  get bytes(): number {
    return this.rows.reduce((sum, row) => sum + weightOf(row) + heldBytes(row.head) + 100, 0);
  }
}

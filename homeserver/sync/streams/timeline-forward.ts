import { selectOldest } from '../../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../../storage/sync-reads/select-timeline.ts';
import type { TimelinePoint } from '../position.ts';
import type { Session } from '../session.ts';
import { filterVisible } from '../visibility.ts';
import { isWanted } from './timeline.ts';
import type { WindowOptions, WindowRange } from './timeline.ts';

/** Events after a point, as many as the limit allows. */
export interface ForwardPage {
  /** Oldest first. */
  readonly events: readonly TimelineRow[];
  /** The point behind the newest event that was looked at, if there is more before the end of the range. */
  readonly next: TimelinePoint | undefined;
}

const MAX_ROUNDS = 4;
const MAX_CHUNK = 1000;

/** Reads one room's timeline forward from the beginning of the range. */
export async function readForward(session: Session, range: WindowRange, options: WindowOptions): Promise<ForwardPage> {
  const accepted: TimelineRow[] = [];
  let low = range.low;
  let chunk = options.limit + 1;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const rows = await selectOldest(session.db, [rowsAfter(range, low)], {
      limit: chunk,
      deviceNo: session.reader.deviceNo,
    });
    const visible = await filterVisible(session, rows, options.standings);
    accepted.push(...visible.filter((row) => isWanted(row, options)));
    low = rows.at(-1) ?? low;
    const isEnd = rows.length < chunk;
    if (accepted.length > options.limit) return page(accepted.slice(0, options.limit), low);
    if (isEnd) return { events: accepted, next: undefined };
    if (accepted.length === options.limit) return page(accepted, low);
    chunk = Math.min(chunk * 4, MAX_CHUNK);
  }
  return { events: accepted, next: low };
}

/** What was looked at behind the last event given is looked at again on the next page. */
function page(events: readonly TimelineRow[], low: TimelinePoint): ForwardPage {
  const last = events.at(-1);
  return { events, next: last === undefined ? low : { anchor: last.anchor, position: last.position } };
}

function rowsAfter(range: WindowRange, low: TimelinePoint) {
  const { roomNo, high } = range;
  return {
    roomNo,
    lowAnchor: low.anchor,
    lowPosition: low.position,
    highAnchor: high.anchor,
    highPosition: high.position,
  };
}

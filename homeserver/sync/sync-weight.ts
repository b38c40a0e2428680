import type { CompiledFilter } from './compiled-filter.ts';
import { EVENT_BYTES } from './large-reads.ts';
import type { SyncPlan } from './streams/rooms.ts';
import { EVENTS_AT_ONCE } from './streams/whole-states.ts';

/** What an event of a whole state takes in an answer. */
const TEXT_BYTES = 400;

/** About the memory that an answer takes while it is made: whole timelines of so many events, and the members. */
export function weightOf({ rooms }: SyncPlan, timelineLimit: number, filter: CompiledFilter): number {
  let members = 0;
  if (!filter.lazyMembers) for (const { state, row } of rooms) if (state === 'full') members += row.joined;
  return (rooms.length * timelineLimit + Math.min(members, EVENTS_AT_ONCE)) * EVENT_BYTES + members * TEXT_BYTES;
}

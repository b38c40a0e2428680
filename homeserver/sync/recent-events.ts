import type { UncountedEvent, UnreadRow } from '../storage/sync-reads/select-unread.ts';

/** The newest events of a room, up to its newest one: the same for all who count. */
export interface RecentEvents {
  /** Every event after this anchor is here, or as many as anybody counts. */
  readonly floor: number;
  /** Oldest first. */
  readonly events: UncountedEvent[];
}

/** A room with the events that are to be counted, oldest first. */
export interface CountableRow extends UnreadRow {
  readonly events: UncountedEvent[];
}

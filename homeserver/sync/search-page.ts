import type { MembershipRow } from '../storage/sync-reads/select-changes.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { RoomEventFilter } from './filter-schema.ts';
import type { Standings } from './visibility.ts';

export interface SearchRequest {
  readonly term: string;
  /** `event_search.kind`. */
  readonly kinds: readonly number[];
  readonly order: 'rank' | 'recent';
  readonly filter: RoomEventFilter;
  readonly limit: number;
  readonly from: string | undefined;
  readonly context: { readonly before: number; readonly after: number; readonly profiles: boolean } | undefined;
  readonly groupBy: readonly ('room_id' | 'sender')[];
  readonly includeState: boolean;
}

/** A hit that the reader may see. */
export interface SearchResult {
  readonly row: TimelineRow;
  readonly rank: number;
}

export interface FoundPage {
  readonly results: readonly SearchResult[];
  readonly next: string | undefined;
  readonly count: number;
  readonly words: readonly string[];
  readonly rooms: ReadonlyMap<number, MembershipRow>;
  readonly standings: Standings;
}

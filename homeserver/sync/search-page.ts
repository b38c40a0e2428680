import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { RoomEventFilter } from './filter-schema.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import type { Standing } from './standing.ts';
import type { Standings } from './visibility.ts';

/** What results can be grouped by. */
export type GroupKey = 'room_id' | 'sender';

/** The results of one room, or of one sender. */
export interface SearchGroup {
  readonly key: GroupKey;
  readonly name: string;
}

/** Where a search goes on. */
export interface SearchToken {
  /** Nothing newer than this. */
  readonly upTo: number;
  /** Hits looked at so far for an order by rank, or the position to go on below for the newest first. */
  readonly done: number;
  /** Only results of this group; undefined: all. */
  readonly group: SearchGroup | undefined;
}

export interface SearchRequest {
  readonly term: string;
  /** `event_search.kind`. */
  readonly kinds: readonly number[];
  readonly order: 'rank' | 'recent';
  readonly filter: RoomEventFilter;
  readonly limit: number;
  readonly from: string | undefined;
  readonly context: { readonly before: number; readonly after: number; readonly profiles: boolean } | undefined;
  readonly groupBy: readonly GroupKey[];
  readonly includeState: boolean;
}

/** A hit that the reader may see. */
export interface SearchResult {
  readonly row: TimelineRow;
  readonly rank: number;
}

/** A room with results. */
export interface SearchedRoom {
  readonly standing: Standing;
  /** Of the state that the reader may know: the present one, or that in which they left. */
  readonly snapshot: number;
}

export interface FoundPage {
  readonly results: readonly SearchResult[];
  readonly next: SearchToken | undefined;
  readonly count: number;
  readonly words: readonly string[];
  readonly rooms: ReadonlyMap<number, SearchedRoom>;
  readonly standings: Standings;
}

export function groupOf(standings: Standings, row: TimelineRow, key: GroupKey): string {
  if (key === 'room_id') return standings.get(row.room_no)?.roomId ?? '';
  return jsonString(jsonMembers(row.json).get('sender')) ?? '';
}

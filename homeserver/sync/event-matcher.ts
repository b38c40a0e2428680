import type { EventFilter, RoomEventFilter } from './filter-schema.ts';
import { compileWildcard } from './wildcard.ts';

/** What filters look at in an event. */
export interface FilteredEvent {
  readonly type: string;
  readonly sender: string | undefined;
  /** Whether the content has a `url` key; asked only when a filter wants to know. */
  hasUrl(): boolean;
}

/** A compiled filter of one section of an answer. */
export interface EventMatcher {
  /** True when every event passes: then nothing needs to be read from the events. */
  readonly all: boolean;
  readonly limit: number | undefined;
  matches(event: FilteredEvent): boolean;
  matchesRoom(roomId: string): boolean;
}

const EVERYTHING: EventMatcher = { all: true, limit: undefined, matches: () => true, matchesRoom: () => true };

/** Compiles a filter; undefined lets everything pass. */
export function compileFilter(filter: RoomEventFilter | EventFilter | undefined): EventMatcher {
  if (filter === undefined) return EVERYTHING;
  const { rooms, not_rooms: notRooms, contains_url: containsUrl } = roomMembers(filter);
  const byType = typeTest(filter.types, filter.not_types);
  const bySender = idTest(filter.senders, filter.not_senders);
  const byRoom = idTest(rooms, notRooms);
  return {
    all: byType === undefined && bySender === undefined && containsUrl === undefined,
    limit: filter.limit,
    matches: (event) =>
      (byType?.(event.type) ?? true) &&
      (bySender?.(event.sender ?? '') ?? true) &&
      (containsUrl === undefined || event.hasUrl() === containsUrl),
    matchesRoom: (roomId) => byRoom?.(roomId) ?? true,
  };
}

/** As many of a list as its filter allows, from the end, where what is newest stands. */
export function newestOf<T>(list: readonly T[], { limit }: EventMatcher): readonly T[] {
  return limit === undefined || list.length <= limit ? list : list.slice(list.length - limit);
}

/** The rooms that a pair of lists lets pass. */
export function compileRooms(rooms: readonly string[] | undefined, notRooms: readonly string[] | undefined) {
  return idTest(rooms, notRooms) ?? (() => true);
}

/** The members that only a RoomEventFilter has. */
function roomMembers(
  filter: RoomEventFilter | EventFilter,
): Pick<RoomEventFilter, 'rooms' | 'not_rooms' | 'contains_url'> {
  return {
    rooms: listOf(filter['rooms']),
    not_rooms: listOf(filter['not_rooms']),
    contains_url: typeof filter['contains_url'] === 'boolean' ? filter['contains_url'] : undefined,
  };
}

function listOf(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined;
}

function idTest(only: readonly string[] | undefined, not: readonly string[] | undefined) {
  if (only === undefined && (not === undefined || not.length === 0)) return undefined;
  const wanted = only === undefined ? undefined : new Set(only);
  const unwanted = new Set(not);
  return (id: string) => (wanted === undefined || wanted.has(id)) && !unwanted.has(id);
}

function typeTest(only: readonly string[] | undefined, not: readonly string[] | undefined) {
  if (only === undefined && (not === undefined || not.length === 0)) return undefined;
  const wanted = only === undefined ? undefined : anyOf(only);
  const unwanted = anyOf(not ?? []);
  return (type: string) => (wanted === undefined || wanted(type)) && !unwanted(type);
}

function anyOf(patterns: readonly string[]): (text: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const wild = patterns.filter((pattern) => pattern.includes('*')).map(compileWildcard);
  return (text) => exact.has(text) || wild.some((matches) => matches(text));
}

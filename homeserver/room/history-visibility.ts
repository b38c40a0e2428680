import { ownString, type JsonObject } from './json-value.ts';

/** Who may read a room's past. */
export type HistoryVisibility = 'world_readable' | 'shared' | 'invited' | 'joined';

/** The state at one moment that decides what a reader may see. */
export interface ReaderView {
  readonly visibility: HistoryVisibility;
  /** The reader's membership; undefined if they never were in the room. */
  readonly membership: string | undefined;
}

const VISIBILITIES: ReadonlyMap<string | undefined, HistoryVisibility> = new Map(
  (['world_readable', 'shared', 'invited', 'joined'] as const).map((value) => [value, value]),
);

/** The visibility that an m.room.history_visibility sets; `shared` without one or for a value not understood. */
export function historyVisibilityOf(content: JsonObject | undefined): HistoryVisibility {
  return VISIBILITIES.get(ownString(content ?? {}, 'history_visibility')) ?? 'shared';
}

/**
 * Whether a user may read an event, judged by the state at the event. `joinedSince`: the user joined at some point
 * after the event, which one who is joined now and was not then always did.
 *
 * Spec: Client-Server API, "Room History Visibility", server behaviour, rules 1 to 5.
 */
export function mayReadAt(view: ReaderView, joinedSince: boolean): boolean {
  // 1
  if (view.visibility === 'world_readable') return true;
  // 2
  if (view.membership === 'join') return true;
  // 3
  if (view.visibility === 'shared' && joinedSince) return true;
  // 4, 5
  return view.membership === 'invite' && view.visibility === 'invited';
}

/**
 * Whether a user may read an event that changes the visibility or that user's own membership: the state before it or
 * the state after it must allow it. For any other event both are the same.
 *
 * Spec: as `mayReadAt`.
 */
export function mayReadChange(before: ReaderView, after: ReaderView, joinedSince: boolean): boolean {
  return mayReadAt(before, joinedSince) || mayReadAt(after, joinedSince);
}

import { compileFilter, compileRooms } from './event-matcher.ts';
import type { EventMatcher } from './event-matcher.ts';
import type { SyncFilter } from './filter-schema.ts';

/** A whole sync filter, ready to be applied. */
export interface CompiledFilter {
  readonly matchesRoom: (roomId: string) => boolean;
  readonly includeLeave: boolean;
  readonly lazyMembers: boolean;
  readonly redundantMembers: boolean;
  /** Unread counts come with threads apart. */
  readonly threadCounts: boolean;
  /** Events are given as servers give them to each other. */
  readonly federationFormat: boolean;
  readonly timeline: EventMatcher;
  readonly state: EventMatcher;
  readonly ephemeral: EventMatcher;
  readonly roomAccountData: EventMatcher;
  readonly accountData: EventMatcher;
  readonly presence: EventMatcher;
}

/** Spec: client-server API, "Filtering" (v1.19). Members are lazily loaded when the `state` part says so. */
export function compileSyncFilter(filter: SyncFilter): CompiledFilter {
  const { rooms, not_rooms: notRooms, include_leave: includeLeave = false, ...parts } = filter.room ?? {};
  const { lazy_load_members: lazyMembers = false, include_redundant_members: redundantMembers = false } =
    parts.state ?? {};
  return {
    matchesRoom: compileRooms(rooms, notRooms),
    includeLeave,
    lazyMembers,
    redundantMembers,
    threadCounts: parts.timeline?.unread_thread_notifications === true,
    federationFormat: filter.event_format === 'federation',
    timeline: compileFilter(parts.timeline),
    state: compileFilter(parts.state),
    ephemeral: compileFilter(parts.ephemeral),
    roomAccountData: compileFilter(parts.account_data),
    accountData: compileFilter(filter.account_data),
    presence: compileFilter(filter.presence),
  };
}

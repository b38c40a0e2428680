import type { RoomEvent } from '../event-format.ts';
import type { EventId } from '../identifiers.ts';
import type { RoomVersionRules } from '../room-versions.ts';

/** What a resolution looks events up in. */
export interface ResolutionContext {
  /** At least the conflicted events, the auth difference and the auth events of all of them; what is missing counts as unknown. */
  readonly events: ReadonlyMap<EventId, RoomEvent>;
  /** Events that failed their checks on receipt: never used to authorise another. */
  readonly rejected: ReadonlySet<EventId>;
  readonly rules: RoomVersionRules;
}

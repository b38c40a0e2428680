import type { CompiledFilter } from './compiled-filter.ts';
import type { SyncToken } from './position.ts';
import type { ReadingUser } from './session.ts';

/** What a client asks of `/sync`, parsed. */
export interface SyncRequest {
  readonly reader: ReadingUser;
  /** Undefined: an initial sync. */
  readonly since: SyncToken | undefined;
  readonly filter: CompiledFilter;
  readonly fullState: boolean;
  /** `state_after` in place of `state`. */
  readonly useStateAfter: boolean;
  /** The client waits: of what this replica does not know yet it is told as soon as it does. */
  readonly mayLag?: boolean;
  /** Each event of the state is wanted as a text of its own. */
  readonly eventsApart?: boolean;
}

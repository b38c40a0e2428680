import type { RoomEvent } from '../room/event-format.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import { isPowerEvent } from '../room/state-resolution/power-sort.ts';

/** A change of a room's state by an event that is made on that state. */
export interface OwnChange {
  readonly event: RoomEvent;
  readonly eventNo: number;
  /** Numbers of its auth events. */
  readonly auth: readonly number[];
  /** The entry in whose place it comes; `unknown`: there is one. */
  readonly replaced: { readonly event: RoomEvent; readonly eventNo: number } | 'unknown' | undefined;
}

/**
 * True where it is certain that all changes hold against a branch that has the state before them: state resolution of both is the state
 * with the changes. They may then stand beside that branch; others wait until their event names it as a parent.
 */
export function outlastAll(changes: readonly OwnChange[], rules: RoomVersionRules): boolean {
  // Version 1 goes by depth, which others choose.
  if (rules.stateResolution === 'v1') return false;
  return changes.every((change) => outlasts(change) && isIndependent(change, changes));
}

/**
 * What replaces nothing has no rival. Power events come first, each after what it cites, but else by their senders' power, which tells
 * nothing; then the others, by the power levels that they were made under and by time.
 */
function outlasts({ event, auth, replaced }: OwnChange): boolean {
  if (replaced === undefined) return true;
  if (replaced === 'unknown') return false;
  if (isPowerEvent(event)) return auth.includes(replaced.eventNo);
  return isPowerEvent(replaced.event) || event.originServerTs > replaced.event.originServerTs;
}

/** Changes of one moment are ordered by their ids: none may rest on another of them, or on what another takes away. */
function isIndependent(change: OwnChange, changes: readonly OwnChange[]): boolean {
  return changes.every((other) => {
    if (other === change) return true;
    const replaced = other.replaced === 'unknown' ? undefined : other.replaced?.eventNo;
    return !change.auth.includes(other.eventNo) && (replaced === undefined || !change.auth.includes(replaced));
  });
}

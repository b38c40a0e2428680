import type { RoomEvent } from '../room/event-format.ts';
import type { EventId, EventReference, RoomId } from '../room/identifiers.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import type { SnapshotChain } from '../storage/snapshot-delta.ts';
import type { StateName } from './room-writer.ts';

/** A forward extremity: the next event names it as a parent. */
export interface Tip {
  readonly eventNo: number;
  readonly eventId: EventId;
  /** How the next event names it. */
  readonly reference: EventReference;
  readonly depth: number;
  /** Snapshot of the state after it. */
  readonly stateAfter: number;
}

/** A state event of the room with its number. */
export interface StateEntry {
  readonly event: RoomEvent;
  readonly eventNo: number;
  /** How events name it among their auth events. */
  readonly reference: EventReference;
  /** Length of its text. */
  readonly length: number;
}

/** State entries by `stateName`; null: looked for and absent; missing: not looked for yet. */
export type LoadedState = Map<string, StateEntry | null>;

/** What is known of a room in order to build its next event. A guess that the store checks: see `expectedSnapshot`. */
export interface RoomHead {
  readonly roomNo: number;
  readonly roomId: RoomId;
  readonly rules: RoomVersionRules;
  snapshot: number;
  tips: readonly Tip[];
  state: LoadedState;
  /** The snapshot with the bases that the next delta is made from; loaded for state events only. */
  chain: SnapshotChain | undefined;
}

/** The key of a state entry in `LoadedState`; U+0000 is in no event type that is accepted. */
export function stateKeyText(type: string, stateKey: string): string {
  return `${type}\u0000${stateKey}`;
}

/** The entries of `names` that have not been looked for yet. */
export function missingState(state: LoadedState, names: readonly StateName[]): StateName[] {
  return names.filter(([type, stateKey]) => !state.has(stateKeyText(type, stateKey)));
}

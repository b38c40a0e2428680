import type { EventId } from './identifiers.ts';

/** A room's state at one moment: the event that holds for each type and state key, by `stateMapKey`. */
export type StateMap = ReadonlyMap<string, EventId>;

/** The name of one entry of a state map; U+0000 is in no event type or state key that is accepted. */
export function stateMapKey(type: string, stateKey: string): string {
  return `${type}\0${stateKey}`;
}

import type { RoomEvent } from '../event-format.ts';

/** The state that an event is checked against; it needs to hold only what `authStateKeys` names. */
export interface AuthState {
  get(type: string, stateKey: string): RoomEvent | undefined;
}

/** The state made of those events; of two with the same type and state key the later counts. */
export function authStateOf(events: Iterable<RoomEvent>): AuthState {
  const byType = new Map<string, Map<string, RoomEvent>>();
  for (const event of events) {
    if (event.stateKey === undefined) continue;
    const ofType = byType.get(event.type) ?? new Map<string, RoomEvent>();
    ofType.set(event.stateKey, event);
    byType.set(event.type, ofType);
  }
  return { get: (type, stateKey) => byType.get(type)?.get(stateKey) };
}

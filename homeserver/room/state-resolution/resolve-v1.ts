import { hash } from 'node:crypto';
import type { AuthState } from '../auth/auth-state.ts';
import { checkEvent } from '../auth/check-event.ts';
import type { RoomEvent } from '../event-format.ts';
import type { EventId } from '../identifiers.ts';
import { stateMapKey, type StateMap } from '../state-map.ts';
import type { ResolutionContext } from './resolution-context.ts';

/** Types whose conflicts are resolved first, in this order; all others after them. */
const PASSES = ['m.room.power_levels', 'm.room.join_rules', 'm.room.member'] as const;

/**
 * Algorithm v1: the entry that wins for each conflict. Conflicts of one pass do not see each other's outcome, so their
 * order does not matter.
 *
 * Spec: room version 1, "State resolution".
 */
export function resolveV1(
  unconflicted: StateMap,
  conflicts: ReadonlyMap<string, ReadonlySet<EventId>>,
  context: ResolutionContext,
): StateMap {
  const state = new Map(unconflicted);
  const open = new Map([...conflicts].map(([key, ids]) => [key, sortedEvents(ids, context)]));
  for (const type of PASSES) {
    resolvePass(state, open, { type, resolveOne: (events) => lastAllowed(events, state, context) });
  }
  resolvePass(state, open, { type: undefined, resolveOne: (events) => newestAllowed(events, state, context) });
  return new Map([...conflicts.keys()].flatMap((key) => entry(key, state.get(key))));
}

interface Pass {
  /** Undefined: all types that are left. */
  readonly type: string | undefined;
  resolveOne(events: readonly RoomEvent[]): RoomEvent | undefined;
}

function resolvePass(state: Map<string, EventId>, open: Map<string, RoomEvent[]>, pass: Pass): void {
  const winners: [string, EventId][] = [];
  for (const [key, events] of open) {
    if (pass.type !== undefined && events[0]?.type !== pass.type) continue;
    open.delete(key);
    const winner = pass.resolveOne(events);
    if (winner !== undefined) winners.push([key, winner.eventId]);
  }
  for (const [key, id] of winners) state.set(key, id);
}

/** By ascending depth, then descending SHA-1 of the id. */
function sortedEvents(ids: ReadonlySet<EventId>, { events }: ResolutionContext): RoomEvent[] {
  return [...ids]
    .flatMap((id) => events.get(id) ?? [])
    .map((event) => ({ event, digest: hash('sha1', event.eventId) }))
    .sort((a, b) => a.event.depth - b.event.depth || (a.digest > b.digest ? -1 : 1))
    .map(({ event }) => event);
}

/** The first one stands; each further one that the state with its predecessor allows takes its place, until one is not allowed. */
function lastAllowed(events: readonly RoomEvent[], state: StateMap, context: ResolutionContext): RoomEvent | undefined {
  let winner: RoomEvent | undefined;
  for (const event of events) {
    if (winner !== undefined && !isAllowed(event, authState(state, winner, context), context)) return winner;
    winner = event;
  }
  return winner;
}

/** The deepest that is allowed; if none is, the least deep, as the servers in use have it. */
function newestAllowed(
  events: readonly RoomEvent[],
  state: StateMap,
  context: ResolutionContext,
): RoomEvent | undefined {
  const held = authState(state, undefined, context);
  return events.findLast((event) => isAllowed(event, held, context)) ?? events[0];
}

function isAllowed(event: RoomEvent, state: AuthState, { rules }: ResolutionContext): boolean {
  return checkEvent(event, state, rules).allowed;
}

function authState(state: StateMap, winner: RoomEvent | undefined, { events }: ResolutionContext): AuthState {
  return {
    get: (type, stateKey) => {
      if (winner?.type === type && winner.stateKey === stateKey) return winner;
      const id = state.get(stateMapKey(type, stateKey));
      return id === undefined ? undefined : events.get(id);
    },
  };
}

function entry(key: string, id: EventId | undefined): [string, EventId][] {
  return id === undefined ? [] : [[key, id]];
}

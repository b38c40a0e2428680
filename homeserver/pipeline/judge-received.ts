import { deny } from '../room/auth/auth-result.ts';
import type { AuthState } from '../room/auth/check-event.ts';
import { judgeEvent, type Judgement } from '../room/auth/judge-event.ts';
import type { CitedEvent } from '../room/auth/check-auth-events.ts';
import { authStateKeys } from '../room/auth/select-auth-events.ts';
import type { RoomEvent } from '../room/event-format.ts';
import { parseEventId, type EventId } from '../room/identifiers.ts';
import { EVENT_FLAGS } from '../storage/batch-arrays.ts';
import { selectEventsById, type KnownEventRow } from '../storage/room-reads/select-events-by-id.ts';
import type { Store } from '../storage/store.ts';
import { readStored } from './resolution-task.ts';
import type { ResolvedRoom, StateResolver } from './resolve-state.ts';
import { stateAt } from './state-at.ts';

/** What an event that another server sent builds on. */
export interface Past {
  /** The event itself, if it is stored, its parents and its auth events. */
  readonly known: ReadonlyMap<EventId, KnownEventRow>;
  /** Snapshot of the state before it, resolved from its parents. */
  readonly stateBefore: number;
}

export type FoundPast =
  | { readonly outcome: 'stored'; readonly row: KnownEventRow }
  /** We lack these parents and auth events, or the state after them: they have to be had first. */
  | { readonly outcome: 'missing'; readonly eventIds: readonly EventId[] }
  | { readonly outcome: 'found'; readonly past: Past };

/** What judging looks things up with. */
export interface JudgeParts {
  readonly store: Store;
  readonly resolver: Pick<StateResolver, 'resolve'>;
}

/**
 * Looks up what an event builds on. Writes nothing but resolved snapshots. Errors: those of `StateResolver.resolve`.
 *
 * Spec: Server-Server API, "Checks performed on receipt of a PDU", before step 4.
 */
export async function findPast(
  { store, resolver }: JudgeParts,
  room: ResolvedRoom,
  event: RoomEvent,
): Promise<FoundPast> {
  const createId = createIdOf(event, room);
  const wanted = [
    event.eventId,
    ...event.prevEvents,
    ...event.authEvents,
    ...(createId === undefined ? [] : [createId]),
  ];
  const known = knownById(await selectEventsById(store.db, wanted));
  const row = known.get(event.eventId);
  if (row !== undefined && (row.flags & EVENT_FLAGS.outlier) === 0) return { outcome: 'stored', row };
  const missing = missingOf(event, room, known);
  if (missing.length > 0) return { outcome: 'missing', eventIds: missing };
  const parents = event.prevEvents.flatMap((id) => known.get(id)?.state_after ?? []);
  return { outcome: 'found', past: { known, stateBefore: await resolver.resolve(room, parents) } };
}

/** The room of the event with its state now: at least what `authStateKeys` names. */
export interface RoomNow extends ResolvedRoom {
  readonly snapshot: number;
  readonly currentState: AuthState;
}

/** What becomes of an event, and the state before it as far as the rules look at it. */
export interface Judged {
  readonly judgement: Judgement;
  readonly before: AuthState;
}

/**
 * Judges an event whose format, hashes and signatures are good: by its auth events, by the state before it, and by the state
 * that the room has now. Writes nothing.
 *
 * Spec: Server-Server API, "Checks performed on receipt of a PDU", steps 4 to 6.
 */
export async function judgeReceived(store: Store, room: RoomNow, event: RoomEvent, past: Past): Promise<Judged> {
  const { known, stateBefore } = past;
  const createId = createIdOf(event, room);
  const at = { snapshot: stateBefore, names: authStateKeys(event, room.rules) };
  const before = stateBefore === room.snapshot ? room.currentState : await stateAt(store, room.rules, at);
  const evidence = {
    cited: event.authEvents.flatMap((id) => cited(id, known, room) ?? []),
    create: createId === undefined ? undefined : cited(createId, known, room),
    stateBefore: before,
    currentState: room.currentState,
  };
  const foreign = event.authEvents.some((id) => known.get(id)?.room_no !== room.roomNo);
  return { judgement: foreign ? otherRoom() : judgeEvent(event, evidence, room.rules), before };
}

/** Where auth events do not name the create event, the room id does. */
export function createIdOf(event: RoomEvent, { rules }: ResolvedRoom): EventId | undefined {
  return rules.createInAuthEvents ? undefined : parseEventId(`$${event.roomId.slice(1)}`);
}

export function knownById(rows: readonly KnownEventRow[]): Map<EventId, KnownEventRow> {
  return new Map(
    rows.flatMap((row) => {
      const id = parseEventId(row.event_id);
      return id === undefined ? [] : [[id, row] as const];
    }),
  );
}

/** A parent without a state after it is as good as missing, and so is one of another room. */
function missingOf(event: RoomEvent, room: ResolvedRoom, known: ReadonlyMap<EventId, KnownEventRow>): EventId[] {
  const parents = event.prevEvents.filter((id) => {
    const row = known.get(id);
    return row?.room_no !== room.roomNo || (row.flags & EVENT_FLAGS.outlier) !== 0;
  });
  return [...new Set([...parents, ...event.authEvents.filter((id) => !known.has(id))])];
}

/** An event of another room is read by the rules of that one: here it is only known to be none of ours. */
export function cited(
  id: EventId,
  known: ReadonlyMap<EventId, KnownEventRow>,
  room: ResolvedRoom,
): CitedEvent | undefined {
  const row = known.get(id);
  if (row?.room_no !== room.roomNo) return undefined;
  const event = readStored({ eventId: id, json: row.json }, room.rules);
  return { event, rejected: (row.flags & EVENT_FLAGS.rejected) !== 0 };
}

function otherRoom(): Judgement {
  const result = deny('auth_events.other_room');
  return result.allowed ? { verdict: 'accepted' } : { verdict: 'rejected', rule: result.rule, because: result.because };
}

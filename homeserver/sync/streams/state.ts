import { selectMemberEventsAt } from '../../storage/sync-reads/select-state.ts';
import type { TimelineRow } from '../../storage/sync-reads/select-timeline.ts';
import type { CompiledFilter } from '../compiled-filter.ts';
import { newestOf } from '../event-matcher.ts';
import { giveStateEvents } from '../give-events.ts';
import type { JsonPiece } from '../json-text.ts';
import type { SyncedSpan } from '../lazy-members.ts';
import { readEvents } from '../read-events.ts';
import type { Session } from '../session.ts';
import { EMPTY_STATE, loadStates } from '../state-maps.ts';
import type { StateMap } from '../state-maps.ts';
import type { GivenState } from '../sync-state.ts';
import { filteredEvent } from '../stored-event.ts';
import type { Standings } from '../visibility.ts';
import type { RoomPlan } from './rooms.ts';
import type { TimelineWindow } from './timeline.ts';
import { readWholeStates } from './whole-states.ts';

/** A room whose state part is to be made. */
export interface StateRoom {
  readonly plan: RoomPlan;
  readonly window: TimelineWindow;
  /** Members whose events have to be there although members are loaded lazily: heroes. */
  readonly heroes: readonly { readonly user_no: number }[];
}

export interface StateOptions {
  readonly filter: CompiledFilter;
  /** `state_after` instead of `state`: the state at the end of the timeline. */
  readonly after: boolean;
  readonly standings: Standings;
  /** What the device has; undefined in an initial sync. */
  readonly span: SyncedSpan | undefined;
  /** Position of the answer's `next_batch`. */
  readonly head: number;
  /** Each event is wanted as a text of its own. */
  readonly apart: boolean;
}

/** One room on the way to its state events: which snapshots matter, which events were chosen. */
interface Choice extends StateRoom {
  /** Snapshot before the first event that the timeline gives. */
  readonly start: number;
  readonly given: ReadonlySet<number>;
  /** The timeline says all that changed between `start` and the end. */
  readonly complete: boolean;
  readonly withMembers: boolean;
}

/**
 * State events for each room, as JSON by room number (a whole state may be one piece with commas between): what the client lacks before the timeline (or after it, with
 * `after`). What the timeline leaves out by its filter, or by a fork, is given here.
 * Spec: client-server API, "Syncing" (v1.19).
 */
export async function readState(
  session: Session,
  rooms: readonly StateRoom[],
  options: StateOptions,
): Promise<Map<number, readonly JsonPiece[]>> {
  const choices = rooms.filter((room) => room.plan.state !== 'none').map((room) => newChoice(room, options));
  const [whole, chosen, lazy] = await Promise.all([
    readWhole(session, choices, options),
    readChosen(
      session,
      choices.filter((choice) => !isWhole(choice, options)),
      options,
    ),
    options.filter.lazyMembers ? readLazyMembers(session, choices, options) : [],
  ]);
  // Whole states come first: what is given one by one beside them are members that are loaded lazily.
  const given = new Map<number, readonly JsonPiece[]>(whole);
  for (const [roomNo, texts] of give(session, [...chosen, ...lazy], options))
    given.set(roomNo, [...(given.get(roomNo) ?? []), ...texts]);
  if (options.filter.state.limit === undefined) return given;
  return new Map([...given].map(([roomNo, pieces]) => [roomNo, newestOf(pieces, options.filter.state)]));
}

/** All state of the room is wanted, and nothing of it comes with the timeline. */
function isWhole({ plan, complete }: Choice, { after }: StateOptions): boolean {
  return plan.state === 'full' && (after || complete);
}

async function readWhole(
  session: Session,
  choices: readonly Choice[],
  options: StateOptions,
): Promise<[roomNo: number, pieces: JsonPiece[]][]> {
  const whole = choices.filter((choice) => isWhole(choice, options));
  const wanted = whole.map(({ plan, start, withMembers }) => {
    const { room_no: roomNo, last_position: lastPosition, joined } = plan.row;
    const size = STATE_EVENTS + (withMembers ? joined : 0);
    return { roomNo, lastPosition, snapshot: options.after ? plan.end : start, members: withMembers, size };
  });
  return readWholeStates(session, wanted, options.standings, (state) => {
    return [state.room.roomNo, wholePieces(session, state, options)];
  });
}

/** About what a room's state has beside the members. */
const STATE_EVENTS = 20;

function wholePieces(session: Session, state: GivenState, options: StateOptions): JsonPiece[] {
  const { roomNo, roomId } = state.room;
  const { state: matcher, federationFormat } = options.filter;
  const isReady = matcher.all && matcher.limit === undefined && !federationFormat && !options.apart;
  if (!isReady) return give(session, state.rows, options).get(roomNo) ?? [];
  return state.rows.length === 0 || !matcher.matchesRoom(roomId) ? [] : [state.json(session.now)];
}

async function readChosen(session: Session, choices: readonly Choice[], options: StateOptions): Promise<TimelineRow[]> {
  const wide = choices.filter((choice) => choice.withMembers);
  const narrow = choices.filter((choice) => !choice.withMembers);
  const needed = (some: readonly Choice[]) => some.flatMap((choice) => neededSnapshots(choice, options));
  const [withMembers, without] = await Promise.all([
    loadStates(session, needed(wide), true),
    loadStates(session, needed(narrow), false),
  ]);
  const eventNos = choices.flatMap((choice) => [
    ...choose(choice, choice.withMembers ? withMembers : without, options),
  ]);
  return readEvents(session, eventNos);
}

function newChoice(room: StateRoom, options: StateOptions): Choice {
  const { plan, window } = room;
  const given = new Set(window.events.map((row) => row.event_no));
  // What was looked at before the first event given is not for the client: it may come from before the reader was in the room.
  const begin = window.scanned.findIndex((row) => given.has(row.event_no));
  const told = begin < 0 ? [] : window.scanned.slice(begin);
  const [first] = told;
  return {
    ...room,
    start: first === undefined || first.anchor > plan.endsAt ? plan.end : first.state_before,
    given,
    complete: isComplete(plan, told, given),
    withMembers: !(options.filter.lazyMembers && plan.state === 'full'),
  };
}

/** True when the events from the first one given on follow each other without a fork, end in the present state, and none that changes state is left out. */
function isComplete(plan: RoomPlan, told: readonly TimelineRow[], given: ReadonlySet<number>): boolean {
  let state = told[0]?.state_before ?? plan.end;
  for (const row of told) {
    if (row.state_before !== state) return false;
    if (row.state_key_no !== null && !given.has(row.event_no)) return false;
    state = row.state_after;
  }
  return state === plan.end;
}

function neededSnapshots(choice: Choice, options: StateOptions): number[] {
  const { plan, start, complete } = choice;
  const targets = options.after ? [plan.end] : complete ? [start] : [start, plan.end];
  return targets.every((snapshot) => snapshot === plan.base) ? [] : [...targets, plan.base];
}

/** Numbers of the events that the client lacks. */
function choose(choice: Choice, states: ReadonlyMap<number, StateMap>, options: StateOptions): ReadonlySet<number> {
  const stateAt = (snapshot: number) => states.get(snapshot) ?? EMPTY_STATE;
  const { plan, start, complete, given } = choice;
  const chosen = new Set<number>();
  if (neededSnapshots(choice, options).length === 0) return chosen;
  const base = stateAt(plan.base);
  const end = options.after || !complete ? stateAt(plan.end) : EMPTY_STATE;
  const before = options.after ? EMPTY_STATE : stateAt(start);
  // With `after` the client takes nothing from the timeline, so nothing is left out for being there.
  const inTimeline = options.after ? new Set<number>() : given;
  for (const part of ['keys', 'members'] as const) {
    for (const [key, event] of newest(before[part], end[part], inTimeline)) {
      if (base[part].get(key) !== event && !inTimeline.has(event)) chosen.add(event);
    }
  }
  return chosen;
}

/** The entry at the end where the timeline does not bring it, else the one before the timeline. */
function newest(
  before: ReadonlyMap<number, number>,
  end: ReadonlyMap<number, number>,
  given: ReadonlySet<number>,
): Map<number, number> {
  const merged = new Map(before);
  for (const [key, event] of end) if (!given.has(event)) merged.set(key, event);
  return merged;
}

/**
 * The membership events of those who sent what is in the timeline, of heroes, and of the reader where all state is given.
 * Spec: client-server API, "Lazy-loading room members" (v1.19).
 */
async function readLazyMembers(
  session: Session,
  choices: readonly Choice[],
  options: StateOptions,
): Promise<TimelineRow[]> {
  const { lazyMembers } = session.ctx.sync;
  const wanted = choices.flatMap((choice) => {
    const users = wantedMembers(session, choice, options);
    return users.map((userNo) => ({ choice, userNo, snapshot: options.after ? choice.plan.end : choice.start }));
  });
  if (wanted.length === 0) return [];
  const wants = { snapshots: wanted.map(({ snapshot }) => snapshot), keys: wanted.map(({ userNo }) => userNo) };
  const found = await selectMemberEventsAt(session.db, wants);
  const events = new Map(found.map((row) => [`${row.snapshot}/${row.key}`, row]));
  return wanted.flatMap(({ choice, userNo, snapshot }) => {
    const row = events.get(`${snapshot}/${userNo}`);
    if (row === undefined) return [];
    lazyMembers.noteSent(session.reader.deviceNo, { roomNo: choice.plan.row.room_no, userNo }, options.head);
    return options.after || !choice.given.has(row.event_no) ? [row] : [];
  });
}

function wantedMembers(session: Session, choice: Choice, options: StateOptions): number[] {
  const users = new Set([
    ...choice.window.events.map((row) => row.sender_no),
    ...choice.heroes.map((hero) => hero.user_no),
  ]);
  const isFull = choice.plan.state === 'full';
  if (isFull) users.add(session.reader.userNo);
  const span = options.span;
  if (isFull || options.filter.redundantMembers || span === undefined) return [...users];
  const { lazyMembers } = session.ctx.sync;
  const roomNo = choice.plan.row.room_no;
  return [...users].filter((userNo) => !lazyMembers.hasArrived(session.reader.deviceNo, { roomNo, userNo }, span));
}

/** Each event once: a member may be wanted for several reasons. */
function give(session: Session, found: readonly TimelineRow[], options: StateOptions): Map<number, string[]> {
  const matcher = options.filter.state;
  const rows = [...new Map(found.map((row) => [row.event_no, row])).values()].filter((row) => {
    const room = options.standings.get(row.room_no);
    return (
      room !== undefined && matcher.matchesRoom(room.roomId) && (matcher.all || matcher.matches(filteredEvent(row)))
    );
  });
  const texts = giveStateEvents(session, rows, options.standings, {
    withRoomId: false,
    federationFormat: options.filter.federationFormat,
  });
  const given = new Map<number, string[]>();
  for (const row of rows.toSorted((a, b) => a.position - b.position)) {
    const text = texts.get(row.event_no);
    const list = given.get(row.room_no) ?? [];
    if (text !== undefined) list.push(text);
    given.set(row.room_no, list);
  }
  return given;
}

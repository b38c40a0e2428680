import { authStateOf } from '../../homeserver/room/auth/auth-state.ts';
import { checkEvent } from '../../homeserver/room/auth/check-event.ts';
import { selectAuthEvents } from '../../homeserver/room/auth/select-auth-events.ts';
import type { RoomEvent } from '../../homeserver/room/event-format.ts';
import type { EventId, RoomId } from '../../homeserver/room/identifiers.ts';
import { carriesEventId, type RoomVersionRules } from '../../homeserver/room/room-versions.ts';
import { stateMapKey, type StateMap } from '../../homeserver/room/state-map.ts';
import { resolve } from '../../homeserver/room/state-resolution/resolve.ts';
import { eventId, roomId, tell, type Told } from './room-story.ts';

/** One event of a graph: what it says, and when its sender's clock says it was sent. */
export interface DagEvent extends Told {
  ts?: number;
}

/**
 * A room as a graph of events that grows by names: each event cites the auth events that the state before it selects,
 * and is kept only if the auth rules allow it there.
 */
export class RoomDag {
  readonly rules: RoomVersionRules;
  readonly events = new Map<EventId, RoomEvent>();
  readonly #after = new Map<string, StateMap>();

  readonly roomId: RoomId;
  readonly #salt: string;

  /** `salt` goes into all ids, for a database that has other rooms. */
  constructor(rules: RoomVersionRules, salt = '') {
    this.rules = rules;
    this.#salt = salt;
    this.roomId = roomId(rules.roomIdFormat === 'with-server' ? `!story${salt}:one` : `!create${salt}`);
  }

  idOf(name: string): EventId {
    return eventId(`$${name}${this.#salt}${carriesEventId(this.rules) ? ':one' : ''}`);
  }

  /** True if the event was allowed in the state before it, and so was kept. */
  tryAdd(name: string, told: DagEvent, parents: readonly string[]): boolean {
    const before = this.stateBefore(parents);
    const event = this.#event(name, told, parents);
    if (!checkEvent(event, this.#authState(before), this.rules).allowed) return false;
    this.#keep(name, event, before);
    return true;
  }

  /** Fails for an event that is not allowed. */
  add(name: string, told: DagEvent, parents: readonly string[]): this {
    if (!this.tryAdd(name, told, parents)) throw new Error(`${name} is not allowed where the story puts it`);
    return this;
  }

  /** Adds an event that was refused: it is known, and no state after it is. */
  outcast(name: string, told: DagEvent, parents: readonly string[]): EventId {
    const event = this.#event(name, told, parents);
    this.events.set(event.eventId, event);
    return event.eventId;
  }

  /** An event as a server would send it that stands after those parents; it does not get into the graph. */
  received(told: DagEvent, parents: readonly string[]): RoomEvent {
    return this.#event('received', told, parents);
  }

  stateAfter(name: string): StateMap {
    return this.#after.get(name) ?? new Map<string, EventId>();
  }

  /** Events that were kept, oldest first, with the states after them. */
  kept(): { event: RoomEvent; after: StateMap }[] {
    return [...this.#after].flatMap(([name, after]) => {
      const event = this.events.get(this.idOf(name));
      return event === undefined ? [] : [{ event, after }];
    });
  }

  stateBefore(parents: readonly string[]): StateMap {
    return this.resolve(parents.map((name) => this.stateAfter(name)));
  }

  resolve(states: readonly StateMap[], rejected: ReadonlySet<EventId> = new Set()): StateMap {
    return resolve(states, { events: this.events, rejected, rules: this.rules });
  }

  #event(name: string, told: DagEvent, parents: readonly string[]): RoomEvent {
    const before = this.#authState(this.stateBefore(parents));
    const event = tell({ ...told, eventId: this.idOf(name), roomId: this.roomId }, this.rules);
    const depths = parents.map((parent) => this.events.get(this.idOf(parent))?.depth ?? 0);
    return {
      ...event,
      depth: Math.max(0, ...depths) + 1,
      originServerTs: told.ts ?? this.events.size,
      prevEvents: parents.map((parent) => this.idOf(parent)),
      authEvents: selectAuthEvents(event, before, this.rules),
    };
  }

  #authState(state: StateMap) {
    return authStateOf([...state.values()].flatMap((id) => this.events.get(id) ?? []));
  }

  #keep(name: string, event: RoomEvent, before: StateMap): void {
    this.events.set(event.eventId, event);
    const { type, stateKey } = event;
    const changed: StateMap =
      stateKey === undefined ? before : new Map([...before, [stateMapKey(type, stateKey), event.eventId]]);
    this.#after.set(name, changed);
  }
}

/** A room that @creator:one made, with @admin (100), @mod (50) and @alice (0) of server one in it; public. */
export function startedRoom(rules: RoomVersionRules, powerLevels: Told['content'] = {}, salt = ''): RoomDag {
  const creator = '@creator:one';
  const join = (sender: string): DagEvent => ({
    type: 'm.room.member',
    sender,
    stateKey: sender,
    content: { membership: 'join' },
  });
  const state = (type: string, content: Told['content'] = {}): DagEvent => ({
    type,
    sender: creator,
    stateKey: '',
    content,
  });
  const own = rules.creatorPower === 'infinite' ? {} : { [creator]: 100 };
  const users = { ...own, '@admin:one': 100, '@mod:one': 50 };
  const dag = new RoomDag(rules, salt)
    .add('create', state('m.room.create', { creator }), [])
    .add('creator', join(creator), ['create'])
    .add('levels', state('m.room.power_levels', { users, ...powerLevels }), ['creator'])
    .add('public', state('m.room.join_rules', { join_rule: 'public' }), ['levels']);
  return ['admin', 'mod', 'alice'].reduce(
    (room, name, at, names) => room.add(name, join(`@${name}:one`), [names[at - 1] ?? 'public']),
    dag,
  );
}

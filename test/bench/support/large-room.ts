import { authStateOf } from '../../../homeserver/room/auth/auth-state.ts';
import { authEventKeys } from '../../../homeserver/room/auth/select-auth-events.ts';
import type { RoomEvent } from '../../../homeserver/room/event-format.ts';
import type { EventId } from '../../../homeserver/room/identifiers.ts';
import type { RoomVersionRules } from '../../../homeserver/room/room-versions.ts';
import { stateMapKey, type StateMap } from '../../../homeserver/room/state-map.ts';
import { eventId, tell, type Told } from '../../support/room-story.ts';

/** A room with many members, grown without signatures: states and their events. */
export class LargeRoom {
  readonly events = new Map<EventId, RoomEvent>();
  readonly rules: RoomVersionRules;

  constructor(rules: RoomVersionRules) {
    this.rules = rules;
  }

  /** Adds an event to a state, in place, with the auth events that it selects. */
  append(state: Map<string, EventId>, told: Told): void {
    const id = eventId(`$${told.type === 'm.room.create' ? 'create' : `e${this.events.size}`}`);
    const event = tell({ ...told, eventId: id, ...(told.type === 'm.room.create' && { prevEvents: [] }) }, this.rules);
    const authEvents = authEventKeys(event, this.rules).flatMap(
      ([type, key]) => state.get(stateMapKey(type, key)) ?? [],
    );
    this.events.set(id, { ...event, authEvents, depth: this.events.size, originServerTs: this.events.size });
    if (event.stateKey !== undefined) state.set(stateMapKey(event.type, event.stateKey), id);
  }

  authState(state: StateMap) {
    return authStateOf([...state.values()].flatMap((id) => this.events.get(id) ?? []));
  }
}

/** What of the room's past two branches do without knowing of each other. */
export interface Fork {
  readonly room: LargeRoom;
  readonly states: readonly StateMap[];
}

const user = (n: number) => `@u${n}:one`;
const member = (sender: string, membership: string, target = sender): Told => ({
  type: 'm.room.member',
  sender,
  stateKey: target,
  content: { membership },
});

/**
 * A public room of that many members, in which twenty power levels have followed each other, with two branches: on each
 * some members change their names, others are banned, topics, join rules and power levels change.
 */
export function forkedRoom(rules: RoomVersionRules, members: number, changes: number): Fork {
  const room = new LargeRoom(rules);
  const state = new Map<string, EventId>();
  const admin = '@creator:one';
  const own = rules.creatorPower === 'infinite' ? {} : { [admin]: 100 };
  const levels = (n: number): Told => ({
    type: 'm.room.power_levels',
    stateKey: '',
    sender: admin,
    content: { users: { ...own, [user(0)]: 50 }, events: { 'm.room.name': n } },
  });
  room.append(state, { type: 'm.room.create', stateKey: '', sender: admin, content: { creator: admin } });
  room.append(state, member(admin, 'join'));
  room.append(state, levels(0));
  room.append(state, { type: 'm.room.join_rules', stateKey: '', sender: admin, content: { join_rule: 'public' } });
  for (let n = 0; n < members; n++) {
    if (n % Math.ceil(members / 20) === 0) room.append(state, levels(n));
    room.append(state, member(user(n), 'join'));
  }
  const states = [1, 2].map((branch) => {
    const own = new Map(state);
    for (let n = 0; n < changes; n++) {
      room.append(own, member(user((n * 7 + branch * 3) % members), 'join'));
      if (n % 10 === 0) room.append(own, member(user(0), 'ban', user(members - 1 - n - branch)));
      if (n % 25 === 0) room.append(own, levels(1000 * branch + n));
      if (n % 25 === 1) room.append(own, { type: 'm.room.topic', stateKey: '', sender: user(0), content: {} });
    }
    return own;
  });
  return { room, states };
}

import fc from 'fast-check';
import type { RoomVersionRules } from '../../homeserver/room/room-versions.ts';
import { roomActions } from './arbitraries.ts';
import { startedRoom, type RoomDag } from './room-dag.ts';

const USERS = ['@creator:one', '@admin:one', '@mod:one', '@alice:one', '@carol:two'];
const PARENTS = fc.array(fc.nat(), { minLength: 1, maxLength: 3 });
/** Clocks that often agree, so that ties are broken by ids. */
const CLOCKS = fc.array(fc.nat(3), { minLength: 30, maxLength: 30 });

/** A room that has grown in several directions. */
export interface RoomForks {
  dag: RoomDag;
  /** Names of all events that were allowed, oldest first. */
  names: readonly string[];
}

/** Rooms of any shape: every action is tried on some of the events that are there. */
export function roomForks(rules: RoomVersionRules, salt = ''): fc.Arbitrary<RoomForks> {
  const steps = fc.tuple(roomActions(USERS), fc.array(PARENTS, { minLength: 30, maxLength: 30 }), CLOCKS);
  return steps.map(([actions, parents, clocks]) => {
    const dag = startedRoom(rules, {}, salt);
    const names = ['alice'];
    for (const [at, action] of actions.entries()) {
      const picks = new Set((parents[at] ?? [0]).map((n) => names[n % names.length] ?? 'alice'));
      const told = { ...action, ts: clocks[at] ?? 0 };
      if (dag.tryAdd(`e${at}`, told, [...picks])) names.push(`e${at}`);
      else dag.outcast(`e${at}`, told, [...picks]);
    }
    return { dag, names };
  });
}

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { roomActions } from '../../../test/support/arbitraries.ts';
import { ALL_RULES, STORY, tell, type Told } from '../../../test/support/room-story.ts';
import type { RoomEvent } from '../event-format.ts';
import { powerLevelsOf, userPowerLevel } from '../power-levels.ts';
import type { RoomVersionRules } from '../room-versions.ts';
import { authStateOf, type AuthState } from './auth-state.ts';
import { checkEvent } from './check-event.ts';
import { membershipIn } from './membership.ts';
import { authStateKeys } from './select-auth-events.ts';

const USERS = ['@admin:one', '@mod:one', '@alice:one', '@left:two', '@banned:two'];

/** Every step of a story: the state before an event that was allowed, the event, and the state after it. */
function play(
  actions: readonly Told[],
  rules: RoomVersionRules,
  see: (before: AuthState, event: RoomEvent, after: AuthState) => void,
) {
  const events = STORY.map((told) => tell(told, rules));
  for (const action of actions) {
    const before = authStateOf(events);
    const event = tell(action, rules);
    if (!checkEvent(event, before, rules).allowed) continue;
    events.push(event);
    see(before, event, authStateOf(events));
  }
}

function topPower(state: AuthState, rules: RoomVersionRules): number {
  return Math.max(...USERS.map((user) => userPowerLevel(powerLevelsOf(state, rules), user)));
}

test.for(ALL_RULES)('version $version: no allowed event lifts anyone above the power of its sender', (rules) => {
  fc.assert(
    fc.property(roomActions(USERS), (actions) => {
      play(actions, rules, (before, event, after) => {
        const sender = userPowerLevel(powerLevelsOf(before, rules), event.sender);
        expect(topPower(after, rules)).toBeLessThanOrEqual(Math.max(topPower(before, rules), sender));
      });
    }),
  );
});

test.for(ALL_RULES)('version $version: nobody comes from a ban straight into the room', (rules) => {
  fc.assert(
    fc.property(roomActions(USERS), (actions) => {
      play(actions, rules, (before, _event, after) => {
        for (const user of USERS.filter((name) => membershipIn(before, name) === 'ban')) {
          expect(membershipIn(after, user)).toMatch(/^(ban|leave)$/);
        }
      });
    }),
  );
});

test.for(ALL_RULES)('version $version: the entries named by authStateKeys are all that a check looks at', (rules) => {
  fc.assert(
    fc.property(roomActions(USERS), (actions) => {
      const full = authStateOf(STORY.map((told) => tell(told, rules)));
      for (const event of actions.map((action) => tell(action, rules))) {
        const named = authStateKeys(event, rules).map(([type, stateKey]) => full.get(type, stateKey));
        const narrow = authStateOf(named.filter((entry) => entry !== undefined));
        expect(checkEvent(event, narrow, rules)).toEqual(checkEvent(event, full, rules));
      }
    }),
  );
});

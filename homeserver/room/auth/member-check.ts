import type { RoomEvent } from '../event-format.ts';
import { actionLevel, powerLevelsOf, userPowerLevel, type PowerAction } from '../power-levels.ts';
import type { RoomVersionRules } from '../room-versions.ts';
import type { AuthState } from './auth-state.ts';

/** A membership event with what it is judged by. */
export interface MemberCheck {
  readonly event: RoomEvent;
  /** The event's state key: whose membership changes. */
  readonly target: string;
  readonly state: AuthState;
  readonly create: RoomEvent;
  readonly rules: RoomVersionRules;
}

/** The sender's and the target's power and what an action needs. */
export interface MemberPower {
  readonly sender: number;
  readonly target: number;
  level(action: PowerAction): number;
}

/** Reads the power levels once for one check. */
export function memberPower({ event, target, state, rules }: MemberCheck): MemberPower {
  const levels = powerLevelsOf(state, rules);
  return {
    sender: userPowerLevel(levels, event.sender),
    target: userPowerLevel(levels, target),
    level: (action) => actionLevel(levels, action),
  };
}

import type { RoomEvent } from '../event-format.ts';
import type { RoomVersionRules } from '../room-versions.ts';
import type { AuthResult, AuthRule } from './auth-result.ts';
import { authStateOf, type AuthState } from './auth-state.ts';
import { checkAuthEvents, type CitedEvent } from './check-auth-events.ts';
import { checkEvent } from './check-event.ts';

/** What an event that was received is judged by; each state holds at least what `authStateKeys` names. */
export interface Evidence {
  /** The events of its `auth_events`, all of them. */
  readonly cited: readonly CitedEvent[];
  /** The create event of the room, where auth events do not name it. */
  readonly create: CitedEvent | undefined;
  /** The state before the event, resolved from its parents. */
  readonly stateBefore: AuthState;
  /** The state that the room has now. */
  readonly currentState: AuthState;
}

/**
 * `rejected`: never part of any state, and no event may build on it. `soft_failed`: part of the history, but not given to
 * clients nor named as a parent by our events.
 */
export type Judgement =
  | { readonly verdict: 'accepted' }
  | { readonly verdict: 'rejected' | 'soft_failed'; readonly rule: AuthRule; readonly because: string };

/**
 * What becomes of an event whose signatures and hashes are good.
 *
 * Spec: Server-Server API, "Checks performed on receipt of a PDU", steps 4 to 6; "Soft failure".
 */
export function judgeEvent(event: RoomEvent, evidence: Evidence, rules: RoomVersionRules): Judgement {
  const result = firstRefusal([
    ...byAuthEvents(event, evidence, rules),
    ['rejected', () => checkEvent(event, evidence.stateBefore, rules)],
    ['soft_failed', () => checkEvent(event, evidence.currentState, rules)],
  ]);
  return result ?? { verdict: 'accepted' };
}

/**
 * What becomes of an event of which the state before it is not known: it is judged by its auth events alone.
 *
 * Spec: Server-Server API, "Checks performed on receipt of a PDU", step 4.
 */
export function judgeByAuthEvents(
  event: RoomEvent,
  evidence: Pick<Evidence, 'cited' | 'create'>,
  rules: RoomVersionRules,
): Judgement {
  return firstRefusal(byAuthEvents(event, evidence, rules)) ?? { verdict: 'accepted' };
}

type Check = readonly [verdict: 'rejected' | 'soft_failed', check: () => AuthResult];

function byAuthEvents(
  event: RoomEvent,
  evidence: Pick<Evidence, 'cited' | 'create'>,
  rules: RoomVersionRules,
): Check[] {
  return [
    ['rejected', () => checkAuthEvents(event, evidence.cited, rules)],
    ['rejected', () => checkEvent(event, citedState(evidence, rules), rules)],
  ];
}

function firstRefusal(checks: readonly Check[]): Judgement | undefined {
  for (const [verdict, check] of checks) {
    const result = check();
    if (!result.allowed) return { verdict, rule: result.rule, because: result.because };
  }
  return undefined;
}

/** The state that an event's auth events make; from version 12 on with the create event that the room id stands for. */
function citedState({ cited, create }: Pick<Evidence, 'cited' | 'create'>, rules: RoomVersionRules): AuthState {
  const events = cited.map(({ event }) => event);
  if (rules.createInAuthEvents || create === undefined || create.rejected) return authStateOf(events);
  return authStateOf([create.event, ...events]);
}

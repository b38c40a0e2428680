import type { AuthState } from '../room/auth/auth-state.ts';
import type { RoomEvent } from '../room/event-format.ts';
import type { EventId } from '../room/identifiers.ts';
import { powerLevelsOf } from '../room/power-levels.ts';
import { mayRedactAll } from '../room/redaction-permission.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import type { KnownEventRow } from '../storage/room-reads/select-events-by-id.ts';
import type { Store } from '../storage/store.ts';
import type { NewEvent } from '../storage/write-batch.ts';
import { isCountable, isPlain, isUnmarkedText, membershipNo, relationOf } from './classify-event.ts';
import type { ReceivedPdu } from './room-receiver.ts';

/** What the row of a received event is made from beside the event. */
export interface ReceivedRowParts {
  readonly rules: RoomVersionRules;
  readonly known: ReadonlyMap<EventId, KnownEventRow>;
  readonly eventNo: number;
  readonly stateBefore: number;
  readonly stateAfter: number;
  /** The state before it, as far as the rules look at it. */
  readonly before: AuthState;
}

/** The row of an event that another server sent. */
export async function receivedRow(store: Store, pdu: ReceivedPdu, parts: ReceivedRowParts): Promise<NewEvent> {
  const { event, json } = pdu;
  const { names } = store;
  const { known, eventNo, stateBefore, stateAfter } = parts;
  const relation = relationOf(event.content);
  const levels = powerLevelsOf(parts.before, parts.rules);
  const userNo = memberOf(event) === undefined ? undefined : await names.userNo(event.stateKey ?? '');
  const membership = membershipNo(event.content);
  return {
    eventNo,
    eventId: event.eventId,
    typeNo: await names.typeNo(event.type),
    stateKeyNo: event.stateKey === undefined ? undefined : await names.stateKeyNo(event.type, event.stateKey),
    senderNo: await names.userNo(event.sender),
    depth: storable(event.depth),
    originServerTs: storable(event.originServerTs),
    stateBefore,
    stateAfter,
    countable: event.stateKey === undefined && isCountable(event.type, event.content),
    plain: isPlain(event.type, event.stateKey, event.content),
    unmarkedText: isUnmarkedText(event.stateKey, event.content),
    json,
    authEvents: event.authEvents.flatMap((id) => known.get(id)?.event_no ?? []),
    ...(relation === undefined ? {} : { relation }),
    ...(event.redacts === undefined ? {} : { redacts: event.redacts, redactsOwn: !mayRedactAll(event, levels) }),
    ...(userNo === undefined || membership === undefined ? {} : { membership: { userNo, membership, flags: 0 } }),
  };
}

/** The state key of a membership event. */
export function memberOf(event: RoomEvent): string | undefined {
  return event.type === 'm.room.member' ? event.stateKey : undefined;
}

/** Room versions before 6 allow numbers that no column holds; the event's text keeps them. */
function storable(value: number): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value));
}

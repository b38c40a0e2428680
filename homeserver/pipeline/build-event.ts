import { MatrixError } from '../errors.ts';
import type { AuthResult } from '../room/auth/auth-result.ts';
import { checkEvent } from '../room/auth/check-event.ts';
import { authEventKeys } from '../room/auth/select-auth-events.ts';
import { CanonicalJsonError } from '../room/canonical-json.ts';
import { EventFormatError, type RoomEvent, type UnsignedPdu } from '../room/event-format.ts';
import { finishPdu, type FinishedPdu, type SigningKey } from '../room/event-signature.ts';
import type { EventId, ServerName } from '../room/identifiers.ts';
import type { JsonObject } from '../room/json-value.ts';
import { carriesEventId, type RoomVersionRules } from '../room/room-versions.ts';
import type { NewEvent, NumberBlocks } from '../storage/write-batch.ts';
import { isCountable, isPlain, isUnmarkedText, membershipNo, relationOf } from './classify-event.ts';
import type { NumberedDraft } from './intent.ts';
import type { StateEntry } from './room-head.ts';
import type { EventDraft } from './room-writer.ts';
import type { BuiltEvent, WorkingRoom } from './working-room.ts';

/** What building needs beside the room; taken once for a batch. */
export interface BuildContext {
  readonly serverName: ServerName;
  readonly key: SigningKey;
  readonly numbers: Pick<NumberBlocks, 'takeEventNo' | 'takeSnapshot'>;
  /** Unix ms. */
  readonly now: number;
  /**
   * Unix ms, each time another one: where the room id is the hash of the create event, a user who makes two rooms alike in one
   * millisecond would get the same room twice.
   */
  readonly nextCreateTs: () => number;
  /** An id that no event has yet, for room versions in which the server names its events. */
  readonly newEventId: () => EventId;
}

/** `refused` holds for the state that the room has in this batch; `faulty` whatever the state. */
export type BuildResult =
  | { outcome: 'built'; built: BuiltEvent }
  | { outcome: 'stands'; eventId: EventId }
  | { outcome: 'refused' | 'faulty'; error: MatrixError };

/** Builds one event on the room as it stands in the batch: guard, parents, auth events, hashes, signature, auth rules. */
export function buildEvent(room: WorkingRoom, numbered: NumberedDraft, context: BuildContext): BuildResult {
  const { draft } = numbered;
  const verdict = draft.guard?.decide(room, room.rules) ?? { go: true };
  if (!verdict.go) {
    if ('stands' in verdict) return { outcome: 'stands', eventId: verdict.stands };
    return { outcome: 'refused', error: verdict.refuse };
  }
  if (draft.type === 'm.room.create' && room.tips.length > 0) {
    return { outcome: 'refused', error: new MatrixError('M_FORBIDDEN', 'A room is created once.') };
  }
  const auth = authEntries(room, draft);
  const finished = finish(room, composed(room, draft, { auth, context }), context);
  if (finished instanceof MatrixError) return { outcome: 'faulty', error: finished };
  const result = checkEvent(finished.event, room, room.rules);
  if (!result.allowed) return { outcome: 'refused', error: refusal(result) };
  return { outcome: 'built', built: assemble(room, numbered, { ...finished, auth, numbers: context.numbers }) };
}

type Refused = Extract<AuthResult, { allowed: false }>;

/** Power levels that name a creator are wrong whoever sends them. */
function refusal({ rule, because }: Refused): MatrixError {
  return new MatrixError(rule === 'power.names_creator' ? 'M_INVALID_PARAM' : 'M_FORBIDDEN', because);
}

function authEntries(room: WorkingRoom, draft: EventDraft): StateEntry[] {
  const { type, sender, stateKey, content } = draft;
  const names = authEventKeys({ type, sender, stateKey, content }, room.rules);
  return names.map(([name, key]) => room.entry(name, key)).filter((entry) => entry !== undefined);
}

function composed(
  room: WorkingRoom,
  draft: EventDraft,
  parts: { auth: StateEntry[]; context: BuildContext },
): UnsignedPdu {
  const { auth, context } = parts;
  const ts = draft.type === 'm.room.create' ? context.nextCreateTs() : context.now;
  const pdu = compose(room, draft, { auth, ts });
  return carriesEventId(room.rules) ? { ...pdu, event_id: context.newEventId() } : pdu;
}

function compose(room: WorkingRoom, draft: EventDraft, parts: { auth: StateEntry[]; ts: number }): UnsignedPdu {
  const { redacts } = draft;
  return {
    type: draft.type,
    sender: draft.sender,
    ...(room.roomId === undefined ? {} : { room_id: room.roomId }),
    ...(draft.stateKey === undefined ? {} : { state_key: draft.stateKey }),
    content: redacts === undefined ? draft.content : redactionContent(draft.content, redacts, room.rules),
    ...(redacts !== undefined && room.rules.redactsIn === 'top-level' ? { redacts } : {}),
    depth: Math.min(Number.MAX_SAFE_INTEGER, room.tips.reduce((deepest, tip) => Math.max(deepest, tip.depth), 0) + 1),
    origin_server_ts: draft.originServerTs ?? parts.ts,
    prev_events: room.tips.map((tip) => tip.reference),
    auth_events: parts.auth.map((entry) => entry.reference),
  };
}

/** `redacts` stands in one place only, whatever the client wrote. */
function redactionContent(content: JsonObject, redacts: EventId, rules: RoomVersionRules): JsonObject {
  const others = Object.fromEntries(Object.entries(content).filter(([key]) => key !== 'redacts'));
  return rules.redactsIn === 'content' ? { ...others, redacts } : others;
}

function finish(room: WorkingRoom, pdu: UnsignedPdu, context: BuildContext): FinishedPdu | MatrixError {
  try {
    return finishPdu(pdu, room.rules, context.serverName, context.key);
  } catch (error) {
    if (error instanceof CanonicalJsonError) return new MatrixError('M_BAD_JSON', error.message);
    if (!(error instanceof EventFormatError)) throw error;
    const tooLarge = error.code === 'too_large' || error.code === 'key_too_long';
    return new MatrixError(tooLarge ? 'M_TOO_LARGE' : 'M_BAD_JSON', error.message);
  }
}

interface Finished extends FinishedPdu {
  auth: StateEntry[];
  numbers: BuildContext['numbers'];
}

function assemble(room: WorkingRoom, numbered: NumberedDraft, finished: Finished): BuiltEvent {
  const { event, json, reference, auth, numbers } = finished;
  const change = changeOf(numbered, numbers);
  const relation = relationOf(event.content);
  const row: NewEvent = {
    eventNo: numbers.takeEventNo(),
    eventId: event.eventId,
    typeNo: numbered.typeNo,
    stateKeyNo: numbered.stateKeyNo,
    senderNo: numbered.senderNo,
    depth: event.depth,
    originServerTs: event.originServerTs,
    stateBefore: room.snapshot,
    stateAfter: change?.snapshot ?? room.snapshot,
    countable: event.stateKey === undefined && isCountable(event.type, event.content),
    plain: isPlain(event.type, event.stateKey, event.content),
    unmarkedText: isUnmarkedText(event.stateKey, event.content),
    json,
    authEvents: change === undefined ? [] : auth.map((entry) => entry.eventNo),
    ...(relation === undefined ? {} : { relation }),
    ...(event.redacts === undefined ? {} : { redacts: event.redacts }),
    ...membershipPart(numbered, event),
    ...(numbered.draft.transaction === undefined ? {} : { transaction: numbered.draft.transaction }),
  };
  return { row, event, reference, change };
}

function changeOf(numbered: NumberedDraft, numbers: BuildContext['numbers']): BuiltEvent['change'] {
  if (numbered.memberNo !== undefined)
    return { kind: 'member', no: numbered.memberNo, snapshot: numbers.takeSnapshot() };
  if (numbered.stateKeyNo === undefined) return undefined;
  return { kind: 'key', no: numbered.stateKeyNo, snapshot: numbers.takeSnapshot() };
}

function membershipPart(numbered: NumberedDraft, event: RoomEvent): Pick<NewEvent, 'membership'> {
  const membership = membershipNo(event.content);
  if (numbered.memberNo === undefined || membership === undefined) return {};
  return { membership: { userNo: numbered.memberNo, membership, flags: 0 } };
}

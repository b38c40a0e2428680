import type { MatrixError } from '../errors.ts';
import type { AuthState } from '../room/auth/check-event.ts';
import type { RoomEvent } from '../room/event-format.ts';
import type { JsonObject } from '../room/canonical-json.ts';
import type { EventId, RoomId, UserId } from '../room/identifiers.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import type { StateName } from '../storage/write-batch.ts';

export type { StateName };

/** What a guard says: send it, `stands`: it was done before by that event, or `refuse`: answer this error. */
export type GuardResult = { go: true } | { go: false; stands: EventId } | { go: false; refuse: MatrixError };

/**
 * A condition on the room's state beyond the auth rules ("kick only who is in the room"). It is decided on the very state that the
 * event is built on, so it cannot race; a refusal is looked at again on freshly read state before it is answered.
 */
export interface DraftGuard {
  /** State entries that `decide` looks at, beside those of the auth rules. */
  readonly needs: readonly StateName[];
  decide(state: AuthState, rules: RoomVersionRules): GuardResult;
}

/** What a caller wants sent; the pipeline adds everything else (auth events, parents, depth, hashes, signature). */
export interface EventDraft {
  type: string;
  /** Present for state events. */
  stateKey?: string;
  content: JsonObject;
  sender: UserId;
  /** For m.room.redaction; goes where the room version wants it. */
  redacts?: EventId;
  /** Unix ms; only application services may set it. */
  originServerTs?: number;
  /** The client's transaction: a repeated one (same device, room, type and id) gives back the first event, also on another replica. */
  transaction?: { deviceNo: number; txnId: string };
  guard?: DraftGuard;
}

export interface SentEvent {
  eventId: EventId;
  /** A sync token of at least this position shows the event; 0 when a guard said that it stands already. */
  position: number;
}

/** The only way an event gets into a room. Every call resolves after the commit, never before. */
export interface RoomWriter {
  /**
   * Builds, authorises, signs and stores one event on the room's present state.
   * Errors: M_FORBIDDEN (auth rules, with the reason), M_NOT_FOUND (no such room), M_TOO_LARGE, M_BAD_JSON, M_LIMIT_EXCEEDED (too
   * many events waiting), M_UNKNOWN with 503 (database away, or the room's state kept moving for 32 tries).
   */
  send(roomId: RoomId, draft: EventDraft): Promise<SentEvent>;
  /** Several events in order, all or none. At most 64; errors as `send`. */
  sendAll(roomId: RoomId, drafts: readonly EventDraft[]): Promise<readonly SentEvent[]>;
  /**
   * A new room from its first events (m.room.create first, at most 256), in one batch. `roomNo`: a number taken beforehand, for
   * rows that must name the room before it is there. Errors: M_UNSUPPORTED_ROOM_VERSION, and those of `send`.
   */
  create(version: string, drafts: readonly EventDraft[], roomNo?: number): Promise<CreatedRoom>;
  /** The create event of a room, which never changes, if this replica has it in memory. */
  knownCreate(roomId: RoomId): RoomEvent | undefined;
}

export interface CreatedRoom {
  roomId: RoomId;
  events: readonly SentEvent[];
}

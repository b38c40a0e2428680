import type { RoomEvent } from '../room/event-format.ts';
import type { EventId, RoomId } from '../room/identifiers.ts';

/** An event of another server whose format, hashes and signatures are good: see `parsePdu`. */
export interface ReceivedPdu {
  readonly event: RoomEvent;
  /** Its canonical JSON, without what is `unsigned`. */
  readonly json: string;
  /** Its content is not what its sender hashed: `event` and `json` are the redacted form. */
  readonly redacted: boolean;
}

/** What has become of a received event; once it is stored the answer stays the same, whichever replica is asked. */
export type ReceivedOutcome =
  /** Nothing is stored: these parents and auth events, or the state after them, have to be had first. */
  | { readonly outcome: 'missing'; readonly eventIds: readonly EventId[] }
  /** Part of the room; a sync token of at least `position` shows it. */
  | { readonly outcome: 'accepted'; readonly position: number }
  /** Not given to clients and no parent of ours. `because` is told once, by the call that has stored it. */
  | { readonly outcome: 'soft_failed' | 'rejected'; readonly because: string | undefined };

/** The way in for events that other servers send. Every call resolves after the commit, never before. */
export interface RoomReceiver {
  /**
   * Judges an event on the room as it is and stores it with what came of that, exactly once, whichever replicas receive it and
   * however often; one that was known without its state gets its place.
   * Errors: M_NOT_FOUND (no such room), M_LIMIT_EXCEEDED (too many events waiting), M_UNKNOWN with 503 (database away, states too
   * far apart, or the room kept moving for 32 tries).
   *
   * Spec: Server-Server API, "Checks performed on receipt of a PDU", steps 4 to 6; "Soft failure".
   */
  receive(roomId: RoomId, pdu: ReceivedPdu): Promise<ReceivedOutcome>;
  /**
   * Stores events of a room without the state before them: auth events of others, at most 5000. They are in no timeline and in no
   * state until they are received or named by a state; each is judged by its auth events, and what is refused so authorises nothing.
   * Gives back the auth events that are neither stored nor given: what needs them is left out. Errors: M_NOT_FOUND (no such room).
   *
   * Spec: Server-Server API, "Checks performed on receipt of a PDU", step 4.
   */
  storeOutliers(roomId: RoomId, pdus: readonly ReceivedPdu[]): Promise<readonly EventId[]>;
}

import type { RoomId } from '../room/identifiers.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import type { StreamWrite } from '../storage/write-batch.ts';
import type { PlacedEvent } from './receive-event.ts';
import type { WrittenStreams } from './stream-writer.ts';
import type { CreatedRoom, EventDraft, SentEvent, StateName } from './room-writer.ts';

/** A draft with all numbers that its row needs, so that building it is synchronous. */
export interface NumberedDraft {
  readonly draft: EventDraft;
  readonly typeNo: number;
  readonly senderNo: number;
  readonly stateKeyNo: number | undefined;
  /** For m.room.member events: the user whom the event is about. */
  readonly memberNo: number | undefined;
}

/** Tries of one intent: each is a batch in which its room had moved, so some other writer got through each time. */
export const MAX_TRIES = 32;
/** A request waits at most this long for its turn, in ms; the store itself gives up a batch after 20 s. */
const MAX_WAIT_MS = 20_000;

export function newWaiting(): { tries: number; alone: boolean; deadline: number } {
  return { tries: 0, alone: false, deadline: performance.now() + MAX_WAIT_MS };
}

interface Waiting<Result> {
  /** How often it went back because the room had moved or was not loaded. */
  tries: number;
  /** It was in a batch that the database refused: the next one holds nothing else, so that only what is at fault fails. */
  alone: boolean;
  /** `performance.now()` after which it is given up. */
  readonly deadline: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** Events for a room that exists: all of them or none. */
export interface RoomIntent extends Waiting<readonly SentEvent[]> {
  readonly kind: 'room';
  readonly roomId: RoomId;
  readonly drafts: readonly NumberedDraft[];
  /** Set by preparation: every state entry that building looks at. */
  needs: readonly StateName[];
  /** A state event is among the drafts: the snapshot chain is needed. */
  readonly changesState: boolean;
  /** The state was read from the database after a refusal from the cache: the next refusal is final. */
  fresh: boolean;
}

/** The first events of a new room. */
export interface CreateIntent extends Waiting<CreatedRoom> {
  readonly kind: 'create';
  readonly rules: RoomVersionRules;
  readonly roomNo: number;
  /** Undefined where the id follows from the create event. */
  readonly roomId: RoomId | undefined;
  readonly drafts: readonly NumberedDraft[];
}

/** Positioned changes that are no events. */
export interface StreamIntent extends Waiting<WrittenStreams> {
  readonly kind: 'stream';
  readonly writes: readonly StreamWrite[];
}

/** An event that another server sent, made ready for the room as it was. Undefined: it has moved, and nothing was written. */
export interface ReceiveIntent extends Waiting<{ position: number } | undefined> {
  readonly kind: 'receive';
  readonly roomId: RoomId;
  readonly placed: PlacedEvent;
  /** `RoomHeads.generation` when it was made. */
  readonly generation: number;
}

export type Intent = RoomIntent | CreateIntent | StreamIntent | ReceiveIntent;

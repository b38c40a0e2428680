import type { EventId, RoomId } from '../room/identifiers.ts';

/** An event as it goes into the store: already authorised, hashed and signed. Numbers come from `NumberBlocks` and `Names`. */
export interface NewEvent {
  eventNo: number;
  eventId: EventId;
  typeNo: number;
  /** Undefined for an event that is not state. */
  stateKeyNo: number | undefined;
  senderNo: number;
  depth: number;
  originServerTs: number;
  /** Snapshots of the room state before and after the event; equal for an event that is not state. */
  stateBefore: number;
  stateAfter: number;
  /** The default push rules notify of it: messages and the like. */
  countable: boolean;
  /** What the default push rules say of it follows from its type and `countable` alone: nobody has to look into it. */
  plain: boolean;
  /** A text of which the sender has not said whom it mentions: names in it are mentions. */
  unmarkedText: boolean;
  /** The PDU's canonical JSON, spliced into answers as it stands. */
  json: string;
  /** Numbers of the auth events; for state events only. */
  authEvents: readonly number[];
  relation?: { relType: number; parentId: EventId; key: string | undefined };
  redacts?: EventId;
  /** The redaction holds only for what its sender's own server has sent. */
  redactsOwn?: boolean;
  /** Present for m.room.member events. */
  membership?: { userNo: number; membership: number; flags: number };
  /** Makes a retried send return the same event. Unique within (device, room, event type). */
  transaction?: { deviceNo: number; txnId: string };
  /** Sent by another server, so that others may store it at the same moment; its room is refused when they did. */
  received?: ReceivedPart;
}

export interface ReceivedPart {
  /** Stored already, without state and under this number: it gets its place. */
  outlier: boolean;
  /** `json` is the redacted form, since the content is not what its sender hashed. */
  redacted: boolean;
}

/** What becomes of a room's current state where branches meet; event 0: the key is absent from then on. */
export interface CurrentChanges {
  keys: ReadonlyMap<number, number>;
  /** User number -> the membership that holds; 0: none, `eventNo` is the one that held last. */
  members: ReadonlyMap<number, { eventNo: number; membership: number }>;
}

/**
 * A snapshot to store: `keys` (state key numbers, sorted) -> `events`, `members` (user numbers, sorted) -> `memberEvents`.
 * `base` 0 means none; event 0 means absent. Made by `nextSnapshot` in snapshot-delta.ts.
 */
export interface NewSnapshot {
  snapshot: number;
  base: number;
  ordinal: number;
  keys: readonly number[];
  events: readonly number[];
  members: readonly number[];
  memberEvents: readonly number[];
}

/** One room's part of a batch, built on `expectedSnapshot` (0 for a new room). Refused as a whole when the room's state moved. */
export interface RoomWrite {
  roomNo: number;
  newRoom?: { roomId: RoomId; version: number };
  expectedSnapshot: number;
  newSnapshot: number;
  /** Forward extremities that the room had when this was built. */
  knownTips: readonly number[];
  /**
   * Refused when the room has a tip that is not known: `newSnapshot` is then not the state that the tips make together. Otherwise
   * such a tip may be there, if the state after it is `expectedSnapshot`.
   */
  exact: boolean;
  /**
   * Forward extremities that `events` name as parents. Another replica may have added tips with the same state meanwhile, so the
   * function stores (present tips without `usedTips`) followed by `newTips`, the newest 10 of them: nobody's event is forgotten.
   */
  usedTips: readonly number[];
  /** Event numbers of the extremities that `events` end in, at most 10. */
  newTips: readonly number[];
  events: readonly NewEvent[];
  snapshots: readonly NewSnapshot[];
  /** What changes in the current state, where it is not just what `events` set. */
  changes?: CurrentChanges;
  /** `newSnapshot` is the state of several branches, not that after the last of `events`. */
  merged?: true;
}

/** A positioned change that is not an event. Later parts of the server add kinds. */
export type StreamWrite =
  | {
      kind: 'receipt';
      roomNo: number;
      userNo: number;
      /** 1 m.read, 2 m.read.private, 3 m.fully_read. */
      receiptKind: number;
      /** '' for unthreaded, 'main' or the thread root's event id. */
      thread: string;
      eventNo: number;
      ts: number;
    }
  | {
      kind: 'account_data';
      userNo: number;
      roomNo: number;
      type: string;
      content: string;
      /** Position of the row that it was made from, 0 for none: refused when the row is another by now. Absent: always written. */
      expected?: number;
    }
  | { kind: 'push_rules'; userNo: number; rules: string; expected: number };

export interface BatchInput {
  rooms: readonly RoomWrite[];
  streams: readonly StreamWrite[];
}

export interface BatchResult {
  firstPosition: number;
  lastPosition: number;
  /** Rooms whose state had moved: nothing of them was written; rebuild on the new state. */
  refusedRooms: ReadonlySet<number>;
  /** Writes whose row is not the expected one any more, counted into `streams`: nothing of them was written. */
  refusedStreams: ReadonlySet<number>;
  /**
   * Events whose transaction was there before: number of the refused event -> id of the event that the transaction stands
   * for. Their room is in `refusedRooms`.
   */
  duplicates: ReadonlyMap<number, EventId>;
  /** Event number -> position. */
  positions: ReadonlyMap<number, number>;
}

/**
 * Writes one batch in one call of the database function, or none of it. One batch is in flight at a time; a lost connection is
 * answered by calling again with the same batch number, so the outcome is always exact. Rejects with M_UNKNOWN/503 after 20 s.
 */
export interface BatchWriter {
  write(input: BatchInput): Promise<BatchResult>;
}

/** One committed batch as replicas learn of it. `rooms` and `users` undefined: "anything may have changed". */
export interface Commit {
  previous: number;
  last: number;
  replica: number;
  rooms: readonly number[] | undefined;
  users: readonly number[] | undefined;
}

/** The ordered feed of all commits of all replicas, our own included. */
export interface CommitFeed {
  /** Every commit at or below this position has been handed to the listeners. */
  readonly seen: number;
  /** `listener` must not throw and must return at once. Gives back its own removal. */
  onCommit(listener: (commit: Commit) => void): () => void;
  /** Caches of anything older are void (failover, restart, too far behind). */
  onReset(listener: () => void): () => void;
  /** Asks the database for commits after `seen` and hands them on; for negative answers and tokens above `seen`. */
  catchUp(): Promise<void>;
  /** Volatile messages between replicas (typing and the like); at most 4 kB, may be lost. */
  publishVolatile(message: string): void;
  onVolatile(listener: (message: string) => void): () => void;
}

/** Numbers known before the lock is taken, from sequences in blocks of 1000. */
export interface NumberBlocks {
  nextEventNo(): Promise<number>;
  nextSnapshot(): Promise<number>;
  nextRoomNo(): Promise<number>;
  /**
   * Makes sure that `count` event numbers and snapshots can then be taken synchronously with `takeEventNo`/`takeSnapshot`, before
   * anything else is awaited. At most 10,000.
   */
  reserve(count: number): Promise<void>;
  takeEventNo(): number;
  takeSnapshot(): number;
}

/** One entry of a room's state, by name. */
export type StateName = readonly [type: string, stateKey: string];

/** Names <-> numbers, cached (they never change). `resolve*` inserts what is missing, in transactions of their own. */
export interface Names {
  userNo(userId: string): Promise<number>;
  /** Like `userNo` for ids that come from outside: undefined when we do not know the user, nothing is inserted. */
  findUserNo(userId: string): Promise<number | undefined>;
  userNos(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  userIds(userNos: readonly number[]): Promise<ReadonlyMap<number, string>>;
  typeNo(type: string): Promise<number>;
  /** Like `typeNo` for types that are only looked up: undefined when we do not know the type, nothing is inserted. */
  findTypeNo(type: string): Promise<number | undefined>;
  types(typeNos: readonly number[]): Promise<ReadonlyMap<number, string>>;
  /** The number of the pair (event type, state key). */
  stateKeyNo(type: string, stateKey: string): Promise<number>;
  /** The numbers of such pairs, in their order; however many are not known yet, it takes a fixed number of statements. */
  stateKeyNos(names: readonly StateName[]): Promise<readonly number[]>;
  /** Like `stateKeyNo` for names that are only looked up: undefined when we do not know the pair, nothing is inserted. */
  findStateKeyNo(type: string, stateKey: string): Promise<number | undefined>;
  /** Synchronous look-ups of what `resolve` has loaded; undefined when not loaded. */
  knownTypeNo(type: string): number | undefined;
  knownStateKeyNo(type: string, stateKey: string): number | undefined;
  knownUserNo(userId: string): number | undefined;
  /** The number of a room we know, undefined when there is none (looked up again each time: never cached when missing). */
  roomNo(roomId: string): Promise<number | undefined>;
}

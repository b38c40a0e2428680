import type { AuthState } from '../room/auth/check-event.ts';
import type { RoomEvent } from '../room/event-format.ts';
import type { EventReference, RoomId } from '../room/identifiers.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import { entryOf, nextSnapshot, type SnapshotChain, type StateChanges } from '../storage/snapshot-delta.ts';
import type { NewEvent, NewSnapshot, RoomWrite } from '../storage/write-batch.ts';
import { outlastAll, type OwnChange } from './outlasting.ts';
import { stateKeyText, type RoomHead, type StateEntry, type Tip } from './room-head.ts';

/** What an event of this batch does to the room. */
export interface BuiltEvent {
  readonly row: NewEvent;
  readonly event: RoomEvent;
  readonly reference: EventReference;
  /** For state events: the number that the snapshot files it under. */
  readonly change: { kind: 'key' | 'member'; no: number; snapshot: number } | undefined;
}

/** The room as it stood before some event of the batch. */
export interface WorkingMark {
  readonly events: number;
  readonly snapshots: number;
  readonly snapshot: number;
  readonly chain: SnapshotChain | undefined;
  readonly tips: readonly Tip[];
  readonly overlay: ReadonlyMap<string, StateEntry>;
}

/** What a batch starts from: a room's head, or nothing for a new room, whose id may follow from its first event. */
export type WorkingBase = Omit<RoomHead, 'roomId'>;

/** A room while a batch is formed: its head and, laid over it, the events that the batch will commit. Each follows the one before. */
export class WorkingRoom implements AuthState {
  readonly head: WorkingBase;
  readonly isNew: boolean;
  /** Undefined until the create event of a new room has given it. */
  roomId: RoomId | undefined;
  snapshot: number;
  tips: readonly Tip[];
  #chain: SnapshotChain | undefined;
  #overlay = new Map<string, StateEntry>();
  readonly #changes: OwnChange[] = [];
  readonly #events: NewEvent[] = [];
  readonly #snapshots: NewSnapshot[] = [];

  constructor(head: WorkingBase, roomId: RoomId | undefined, isNew: boolean) {
    this.head = head;
    this.roomId = roomId;
    this.isNew = isNew;
    this.snapshot = head.snapshot;
    this.tips = head.tips;
    this.#chain = head.chain;
  }

  get rules(): RoomVersionRules {
    return this.head.rules;
  }

  /** The batch holds state changes of this room that are not committed: a refusal based on them proves nothing yet. */
  get changed(): boolean {
    return this.#snapshots.length > 0;
  }

  get(type: string, stateKey: string): RoomEvent | undefined {
    return this.entry(type, stateKey)?.event;
  }

  entry(type: string, stateKey: string): StateEntry | undefined {
    const key = stateKeyText(type, stateKey);
    return this.#overlay.get(key) ?? this.head.state.get(key) ?? undefined;
  }

  append(built: BuiltEvent): void {
    const { row, event, reference, change } = built;
    if (change !== undefined) {
      const replaced = this.#replacedBy(event, change);
      this.#changes.push({ event, eventNo: row.eventNo, auth: row.authEvents, replaced });
      this.#changeState(change, row.eventNo);
      const entry = { event, eventNo: row.eventNo, reference, length: row.json.length };
      this.#overlay.set(stateKeyText(event.type, event.stateKey ?? ''), entry);
    }
    this.#events.push(row);
    this.roomId ??= event.roomId;
    const { eventNo, eventId, depth, stateAfter } = row;
    this.tips = [{ eventNo, eventId, reference, depth, stateAfter }];
  }

  /** Not every entry has been looked for, but the snapshots tell whether there is one. */
  #replacedBy({ type, stateKey = '' }: RoomEvent, { kind, no }: { kind: 'key' | 'member'; no: number }) {
    const known = this.entry(type, stateKey);
    if (known !== undefined) return known;
    return entryOf(this.#chain ?? [], kind, no) === undefined ? undefined : 'unknown';
  }

  #changeState(change: { kind: 'key' | 'member'; no: number; snapshot: number }, eventNo: number): void {
    if (this.#chain === undefined) throw new Error('a state event is built without the snapshots of its room');
    const pair = new Map([[change.no, eventNo]]);
    const none = new Map<number, number>();
    const changes: StateChanges = change.kind === 'key' ? { keys: pair, members: none } : { keys: none, members: pair };
    const next = nextSnapshot(change.snapshot, this.#chain, changes);
    this.#chain = next.chain;
    this.#snapshots.push(next.row);
    this.snapshot = change.snapshot;
  }

  mark(): WorkingMark {
    return {
      events: this.#events.length,
      snapshots: this.#snapshots.length,
      snapshot: this.snapshot,
      chain: this.#chain,
      tips: this.tips,
      overlay: new Map(this.#overlay),
    };
  }

  /** Takes back everything since `mark`. */
  rollback(mark: WorkingMark): void {
    this.#events.length = mark.events;
    this.#snapshots.length = mark.snapshots;
    // Each change of the state has made one snapshot.
    this.#changes.length = mark.snapshots;
    this.snapshot = mark.snapshot;
    this.#chain = mark.chain;
    this.tips = mark.tips;
    this.#overlay = new Map(mark.overlay);
  }

  /** The room's part of the batch. */
  write(): RoomWrite {
    const { head } = this;
    const tips = head.tips.map((tip) => tip.eventNo);
    const write = {
      roomNo: head.roomNo,
      expectedSnapshot: head.snapshot,
      newSnapshot: this.snapshot,
      knownTips: tips,
      exact: this.changed && !outlastAll(this.#changes, this.rules),
      usedTips: tips,
      newTips: this.tips.map((tip) => tip.eventNo),
      events: this.#events,
      snapshots: this.#snapshots,
    };
    if (!this.isNew || this.roomId === undefined) return write;
    return { ...write, newRoom: { roomId: this.roomId, version: Number(head.rules.version) } };
  }

  /** The room's head once the batch is committed; to be asked for only then. */
  committedHead(roomId: RoomId): RoomHead {
    const { state, roomNo, rules } = this.head;
    for (const [key, entry] of this.#overlay) state.set(key, entry);
    return { roomNo, roomId, rules, snapshot: this.snapshot, tips: this.tips, state, chain: this.#chain };
  }
}

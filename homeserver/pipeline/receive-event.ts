import { authStateOf } from '../room/auth/auth-state.ts';
import type { Judgement } from '../room/auth/judge-event.ts';
import { authStateKeys } from '../room/auth/select-auth-events.ts';
import type { RoomId } from '../room/identifiers.ts';
import { EVENT_FLAGS } from '../storage/batch-arrays.ts';
import { selectEventsById, type KnownEventRow } from '../storage/room-reads/select-events-by-id.ts';
import { selectSnapshotChain } from '../storage/room-reads/select-snapshot-chain.ts';
import { nextSnapshot } from '../storage/snapshot-delta.ts';
import { insertUnplacedEvents, type UnplacedEvent } from '../storage/tables/events.ts';
import { insertSnapshot } from '../storage/tables/snapshots.ts';
import type { NewEvent, RoomWrite } from '../storage/write-batch.ts';
import { coveredParents } from './covered-parents.ts';
import { currentChanges } from './current-changes.ts';
import { nextTips } from './extremities.ts';
import { findPast, judgeReceived, type FoundPast, type JudgeParts, type Past } from './judge-received.ts';
import { loadRoomHead, storedReference, type LoadedHead } from './load-room-head.ts';
import { memberOf, receivedRow } from './received-row.ts';
import type { ResolvedRoom } from './resolve-state.ts';
import type { Tip } from './room-head.ts';
import type { ReceivedOutcome, ReceivedPdu } from './room-receiver.ts';
import { UnknownRoom } from './unknown-room.ts';

/** An accepted event with all that its batch writes: made on the room as it was, and void when that has moved. */
export interface PlacedEvent {
  readonly write: RoomWrite;
  /** The extremities once it is written. */
  readonly tips: readonly Tip[];
}

const BEGUN = 'the room has begun already';

/** `placed` undefined: the event was stored by another replica meanwhile, and is to be looked at again. */
export type Attempt = { readonly done: ReceivedOutcome } | { readonly placed: PlacedEvent | undefined };

/**
 * One received event on its way into the room. What it builds on never changes, so that is looked up once; each attempt looks at
 * the room anew.
 */
export class Reception {
  readonly #parts: JudgeParts;
  readonly #room: ResolvedRoom & { readonly roomId: RoomId };
  readonly #pdu: ReceivedPdu;
  #past: Past | undefined;
  #row: Promise<NewEvent> | undefined;
  /** Number of the event: the one that it has, if it is known without its state. */
  #no: number | undefined;
  /** The state before it, as far as the rules look at it. */
  #before = authStateOf([]);
  /** The event is stored without its state, under `#no`. */
  #isOutlier = false;

  constructor(parts: JudgeParts, room: ResolvedRoom & { readonly roomId: RoomId }, pdu: ReceivedPdu) {
    this.#parts = parts;
    this.#room = room;
    this.#pdu = pdu;
  }

  /** Stores what gets no position; what does is given back for a batch. Errors: those of `StateResolver.resolve`. */
  async attempt(): Promise<Attempt> {
    // Its own beginning is part of a room from the moment that the room is known.
    if (this.#pdu.event.prevEvents.length === 0) return { done: { outcome: 'rejected', because: BEGUN } };
    const found = this.#past === undefined ? await this.#look() : await this.#lookAgain(this.#past);
    if (found.outcome === 'stored') return { done: outcomeOf(found.row) };
    if (found.outcome === 'missing') return { done: found };
    return this.#judge(found.past);
  }

  async #look(): Promise<FoundPast> {
    const found = await findPast(this.#parts, this.#room, this.#pdu.event);
    if (found.outcome !== 'found') return found;
    this.#past = found.past;
    this.#isOutlier = found.past.known.has(this.#pdu.event.eventId);
    this.#no = found.past.known.get(this.#pdu.event.eventId)?.event_no;
    this.#row = undefined;
    return found;
  }

  /** Another replica may have stored the event since the first look. */
  async #lookAgain(past: Past): Promise<FoundPast> {
    const [row] = await selectEventsById(this.#parts.store.db, [this.#pdu.event.eventId]);
    const isOurs = row === undefined || (isOutlier(row) && row.event_no === this.#no);
    return isOurs ? { outcome: 'found', past } : this.#look();
  }

  async #judge(past: Past): Promise<Attempt> {
    const { store } = this.#parts;
    const { event } = this.#pdu;
    const { rules, roomId } = this.#room;
    const head = await loadRoomHead(store, roomId, authStateKeys(event, rules));
    if (head === undefined) throw new UnknownRoom();
    const now = {
      ...this.#room,
      snapshot: head.snapshot,
      currentState: authStateOf(head.found.map((entry) => entry.event)),
    };
    const { judgement, before } = await judgeReceived(store, now, event, past);
    this.#before = before;
    if (judgement.verdict === 'accepted') return { placed: await this.#place(past, head) };
    return { done: await this.#keepApart(past, judgement) };
  }

  /** Stores an event that is in no timeline. Another replica may have judged it before: then that stands. */
  async #keepApart(past: Past, judgement: Exclude<Judgement, { verdict: 'accepted' }>): Promise<ReceivedOutcome> {
    const { store } = this.#parts;
    const isRejected = judgement.verdict === 'rejected';
    const row = isRejected ? await this.#rowWith(past, past.stateBefore) : await this.#rowOf(past);
    const why = isRejected ? EVENT_FLAGS.rejected : EVENT_FLAGS.softFailed;
    const written = await insertUnplacedEvents(store.db, [this.#unplaced(row, why)]);
    if (written.has(row.eventId)) return { outcome: judgement.verdict, because: judgement.because };
    const [stored] = await selectEventsById(store.db, [row.eventId]);
    if (stored === undefined) throw new Error('an event that is stored is not there');
    return outcomeOf(stored);
  }

  /** Undefined: another replica has stored the event meanwhile. */
  async #place(past: Past, head: LoadedHead): Promise<PlacedEvent | undefined> {
    const { store, resolver } = this.#parts;
    const room = this.#room;
    const made = await this.#rowOf(past);
    const covered = await coveredParents(store, room, { event: this.#pdu.event, known: past.known });
    const { tips, gone } = nextTips(head.tips, this.#tip(made), covered);
    const states = new Set(tips.map((tip) => tip.stateAfter));
    if (states.size > 1 && !(await this.#makeKnown(made))) return undefined;
    const row = { ...made, received: { outlier: this.#isOutlier, redacted: this.#pdu.redacted } };
    const snapshot = await resolver.resolve(room, [...states]);
    const expectedSnapshot = head.snapshot;
    const write: RoomWrite = {
      roomNo: room.roomNo,
      expectedSnapshot,
      newSnapshot: snapshot,
      knownTips: head.tips.map((tip) => tip.eventNo),
      // With one state everywhere a further tip with the same one makes no difference.
      exact: states.size > 1 || snapshot !== expectedSnapshot,
      usedTips: gone,
      newTips: tips.some((tip) => tip.eventNo === row.eventNo) ? [row.eventNo] : [],
      events: [row],
      snapshots: [],
      changes: await currentChanges(store, room, { from: expectedSnapshot, to: snapshot, added: row }),
      ...(snapshot === row.stateAfter ? {} : { merged: true }),
    };
    return { write, tips };
  }

  /** A resolution reads the events of the states from the store: one that changes the state has to be there, without its state. */
  async #makeKnown(row: NewEvent): Promise<boolean> {
    if (row.stateKeyNo === undefined || this.#isOutlier) return true;
    const written = await insertUnplacedEvents(this.#parts.store.db, [this.#unplaced(row, EVENT_FLAGS.outlier)]);
    this.#isOutlier = written.has(row.eventId);
    return this.#isOutlier;
  }

  #unplaced(event: NewEvent, why: number): UnplacedEvent {
    const state = event.stateKeyNo === undefined ? 0 : EVENT_FLAGS.state;
    const flags = why | state | (this.#pdu.redacted ? EVENT_FLAGS.redacted : 0);
    return { roomNo: this.#room.roomNo, event, flags };
  }

  #tip(row: NewEvent): Tip {
    const { eventNo, eventId, depth, stateAfter } = row;
    const reference = storedReference({ eventId, json: this.#pdu.json }, this.#room.rules);
    return { eventNo, eventId, reference, depth, stateAfter };
  }

  /** Made once: numbers and snapshots that an attempt has used are good for the next. */
  #rowOf(past: Past): Promise<NewEvent> {
    this.#row ??= this.#stateAfter(past).then((stateAfter) => this.#rowWith(past, stateAfter));
    return this.#row;
  }

  /** The snapshot after the event, stored if it is a new one. */
  async #stateAfter({ stateBefore }: Past): Promise<number> {
    const { store } = this.#parts;
    const { event } = this.#pdu;
    if (event.stateKey === undefined) return stateBefore;
    const member = memberOf(event);
    const no =
      member === undefined
        ? await store.names.stateKeyNo(event.type, event.stateKey)
        : await store.names.userNo(member);
    const change = new Map([[no, await this.#eventNo()]]);
    const none = new Map<number, number>();
    const changes = member === undefined ? { keys: change, members: none } : { keys: none, members: change };
    const chain = await selectSnapshotChain(store.db, stateBefore);
    const { row } = nextSnapshot(await store.numbers.nextSnapshot(), chain, changes);
    await insertSnapshot(store.db, this.#room.roomNo, row);
    return row.snapshot;
  }

  async #eventNo(): Promise<number> {
    this.#no ??= await this.#parts.store.numbers.nextEventNo();
    return this.#no;
  }

  async #rowWith(past: Past, stateAfter: number): Promise<NewEvent> {
    const { store } = this.#parts;
    const { known, stateBefore } = past;
    const made = { rules: this.#room.rules, before: this.#before, eventNo: await this.#eventNo() };
    return receivedRow(store, this.#pdu, { known, stateBefore, stateAfter, ...made });
  }
}

function isOutlier({ flags }: KnownEventRow): boolean {
  return (flags & EVENT_FLAGS.outlier) !== 0;
}

function outcomeOf({ flags, position }: KnownEventRow): ReceivedOutcome {
  if ((flags & EVENT_FLAGS.rejected) !== 0) return { outcome: 'rejected', because: undefined };
  if ((flags & EVENT_FLAGS.softFailed) !== 0) return { outcome: 'soft_failed', because: undefined };
  return { outcome: 'accepted', position: position ?? 0 };
}

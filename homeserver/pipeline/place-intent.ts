import type { MatrixError } from '../errors.ts';
import type { NewEvent, StreamWrite } from '../storage/write-batch.ts';
import { buildEvent, type BuildContext } from './build-event.ts';
import type { CreateIntent, Intent, NumberedDraft, ReceiveIntent, RoomIntent, StreamIntent } from './intent.ts';
import { missingState } from './room-head.ts';
import type { RoomHeads } from './room-heads.ts';
import type { SentEvent } from './room-writer.ts';
import { WorkingRoom } from './working-room.ts';

/** Limits of a batch: they bound the time under the store's lock and the time that building blocks this process. */
export const MAX_BATCH_EVENTS = 256;
const MAX_BATCH_CHARACTERS = 1_000_000;

/** What became of a draft: a row of this batch, or an event that stood before. */
export type PlacedDraft = { row: NewEvent } | { stands: SentEvent };

/** An intent whose events are in the batch, in the order of its drafts. */
export interface PlacedIntent {
  readonly intent: RoomIntent | CreateIntent;
  readonly room: WorkingRoom;
  readonly drafts: readonly PlacedDraft[];
}

/** A batch while it is formed. */
export interface Forming {
  readonly heads: RoomHeads;
  readonly context: BuildContext;
  readonly rooms: Map<string | CreateIntent, WorkingRoom>;
  readonly placed: PlacedIntent[];
  readonly streams: StreamIntent[];
  /** At most one in a room, which then has nothing else in this batch: it is made for the room as it was. */
  readonly received: Map<string, ReceiveIntent>;
  readonly writes: Map<string, StreamWrite>;
  readonly unprepared: RoomIntent[];
  /** Refused on state that is not committed yet, or of a room that has its part of this batch: tried again in the next. */
  readonly postponed: (RoomIntent | ReceiveIntent)[];
  events: number;
  /** Events built, those included that were taken back: each has used numbers. */
  built: number;
  characters: number;
  /** The intent at hand did not fit: it opens the next batch. */
  full: boolean;
}

export function newForming(heads: RoomHeads, context: BuildContext): Forming {
  return {
    heads,
    context,
    rooms: new Map(),
    placed: [],
    streams: [],
    received: new Map(),
    writes: new Map(),
    unprepared: [],
    postponed: [],
    events: 0,
    built: 0,
    characters: 0,
    full: false,
  };
}

/** Puts one intent into the batch, rejects it, or notes where else it has to go. */
export function placeIntent(forming: Forming, intent: Intent): void {
  switch (intent.kind) {
    case 'stream':
      placeStream(forming, intent);
      return;
    case 'create':
      placeCreate(forming, intent);
      return;
    case 'room':
      placeInRoom(forming, intent);
      return;
    case 'receive':
      placeReceived(forming, intent);
      return;
  }
}

/** Of several writes to one key of account data the last one counts, as it would one batch later. */
function placeStream(forming: Forming, intent: StreamIntent): void {
  const characters = forming.characters + intent.writes.reduce((sum, write) => sum + sizeOf(write), 0);
  forming.full = forming.events > 0 && characters > MAX_BATCH_CHARACTERS;
  if (forming.full) return;
  forming.characters = characters;
  for (const write of intent.writes) forming.writes.set(streamKey(write, forming.writes.size), write);
  forming.streams.push(intent);
  forming.events += intent.writes.length;
}

function sizeOf(write: StreamWrite): number {
  switch (write.kind) {
    case 'receipt':
      return 0;
    case 'account_data':
      return write.content.length;
    case 'push_rules':
      return write.rules.length;
  }
}

/** Writes of one key stand for one. A conditional one is the store's to judge, beside all others. */
function streamKey(write: StreamWrite, count: number): string {
  switch (write.kind) {
    case 'receipt':
      // Which of two receipts is further on, the store has to see.
      return `receipt ${write.roomNo} ${write.userNo} ${write.receiptKind} ${write.thread} ${write.eventNo}`;
    case 'account_data':
      if (write.expected !== undefined) return `conditional ${count}`;
      return `account_data ${write.userNo} ${write.roomNo} ${write.type}`;
    case 'push_rules':
      return `conditional ${count}`;
  }
}

function placeCreate(forming: Forming, intent: CreateIntent): void {
  const { roomNo, roomId, rules } = intent;
  const room = new WorkingRoom({ roomNo, rules, snapshot: 0, tips: [], state: new Map(), chain: [] }, roomId, true);
  const outcome = buildDrafts(forming, room, { drafts: intent.drafts, final: true });
  if ('error' in outcome) intent.reject(outcome.error);
  else if ('drafts' in outcome) commitTo(forming, { intent, room, drafts: outcome.drafts }, intent);
}

function placeReceived(forming: Forming, intent: ReceiveIntent): void {
  const { roomId, placed, generation } = intent;
  if (generation !== forming.heads.generation) {
    intent.resolve(undefined);
    return;
  }
  if (forming.rooms.has(roomId) || forming.received.has(roomId)) {
    forming.postponed.push(intent);
    return;
  }
  const characters = placed.write.events.reduce((sum, { json }) => sum + json.length, forming.characters);
  forming.full = forming.events > 0 && characters > MAX_BATCH_CHARACTERS;
  if (forming.full) return;
  forming.characters = characters;
  forming.received.set(roomId, intent);
  forming.events += placed.write.events.length;
}

function placeInRoom(forming: Forming, intent: RoomIntent): void {
  if (forming.received.has(intent.roomId)) {
    forming.postponed.push(intent);
    return;
  }
  const room = forming.rooms.get(intent.roomId) ?? openRoom(forming, intent);
  if (room === undefined || !isLoaded(room, intent)) {
    forming.unprepared.push(intent);
    return;
  }
  const { changed } = room;
  const outcome = buildDrafts(forming, room, { drafts: intent.drafts, final: intent.fresh && !changed });
  if ('error' in outcome) intent.reject(outcome.error);
  else if ('drafts' in outcome) settleOrCommit(forming, { intent, room, drafts: outcome.drafts });
  else if (outcome.wait === 'undecided') lookAgain(forming, intent, changed);
}

/** A refusal from the cache, or one based on changes that are not committed, is no answer: the state is looked at again. */
function lookAgain(forming: Forming, intent: RoomIntent, changed: boolean): void {
  if (changed) {
    forming.postponed.push(intent);
    return;
  }
  intent.fresh = true;
  forming.unprepared.push(intent);
}

function openRoom(forming: Forming, intent: RoomIntent): WorkingRoom | undefined {
  const head = forming.heads.usable(intent.roomId);
  return head === undefined ? undefined : new WorkingRoom(head, intent.roomId, false);
}

function isLoaded(room: WorkingRoom, intent: RoomIntent): boolean {
  if (intent.changesState && room.head.chain === undefined) return false;
  return missingState(room.head.state, intent.needs).length === 0;
}

function settleOrCommit(forming: Forming, placed: PlacedIntent & { intent: RoomIntent }): void {
  const standing = placed.drafts.flatMap((draft) => ('stands' in draft ? [draft.stands] : []));
  if (standing.length === placed.drafts.length) placed.intent.resolve(standing);
  else commitTo(forming, placed, placed.intent.roomId);
}

function commitTo(forming: Forming, placed: PlacedIntent, key: string | CreateIntent): void {
  forming.rooms.set(key, placed.room);
  forming.placed.push(placed);
  for (const draft of placed.drafts) {
    if ('row' in draft) forming.events += 1;
  }
}

/** `wait`: the batch is full, or what the state says is not final. */
type DraftsOutcome = { drafts: PlacedDraft[] } | { error: MatrixError } | { wait: 'full' | 'undecided' };

interface Drafts {
  readonly drafts: readonly NumberedDraft[];
  /** What the room's state refuses is refused for good. */
  readonly final: boolean;
}

/** Builds all drafts on the room or, taking back those that were built, none. */
function buildDrafts(forming: Forming, room: WorkingRoom, drafts: Drafts): DraftsOutcome {
  const mark = drafts.drafts.length > 1 ? room.mark() : undefined;
  const { characters } = forming;
  let outcome: DraftsOutcome | undefined;
  try {
    outcome = buildEach(forming, room, drafts);
    return outcome;
  } finally {
    if (outcome === undefined || !('drafts' in outcome)) {
      if (mark !== undefined) room.rollback(mark);
      forming.characters = characters;
    }
  }
}

function buildEach(forming: Forming, room: WorkingRoom, { drafts, final }: Drafts): DraftsOutcome {
  const placed: PlacedDraft[] = [];
  for (const draft of drafts) {
    const next = buildNext(forming, room, { draft, final });
    if (!('placed' in next)) return next;
    placed.push(next.placed);
  }
  return { drafts: placed };
}

type DraftOutcome = { placed: PlacedDraft } | Exclude<DraftsOutcome, { drafts: PlacedDraft[] }>;

function buildNext(forming: Forming, room: WorkingRoom, work: { draft: NumberedDraft; final: boolean }): DraftOutcome {
  const result = buildEvent(room, work.draft, forming.context);
  switch (result.outcome) {
    case 'faulty':
      return { error: result.error };
    case 'refused':
      return work.final ? { error: result.error } : { wait: 'undecided' };
    case 'stands':
      return work.final ? { placed: { stands: { eventId: result.eventId, position: 0 } } } : { wait: 'undecided' };
    case 'built': {
      const { row } = result.built;
      forming.built += 1;
      forming.characters += row.json.length;
      forming.full = forming.events > 0 && forming.characters > MAX_BATCH_CHARACTERS;
      if (forming.full) return { wait: 'full' };
      room.append(result.built);
      return { placed: { row } };
    }
  }
}

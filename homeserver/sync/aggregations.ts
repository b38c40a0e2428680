import { jsonMembers, jsonString } from './json-members.ts';
import type { JsonMembers } from './json-members.ts';
import { selectEdits, selectReferences, selectThreads } from '../storage/sync-reads/select-aggregations.ts';
import type { ChildRow, Parents, ThreadRow } from '../storage/sync-reads/select-aggregations.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { clientEventJson } from './client-event.ts';
import { readIgnoredNos } from './ignored-users.ts';
import { object } from './room-json.ts';
import type { Session } from './session.ts';
import { ownTransaction, storedEvent } from './stored-event.ts';
import { filterVisible, membershipAfter } from './visibility.ts';
import type { Standings } from './visibility.ts';

/** What is aggregated: `m.relations` of `unsigned` by the number of the event, as JSON text. */
export type Aggregations = ReadonlyMap<number, string>;

interface Reading {
  readonly session: Session;
  readonly standings: Standings;
  readonly withRoomId: boolean;
}

interface BundleReading extends Reading {
  /** Numbers of the users whom the reader ignores: nothing of theirs is aggregated. */
  readonly ignored: readonly number[];
}

/**
 * Bundled aggregations of events that the reader may see. Events that nothing relates to cost nothing: the rows say so themselves.
 * What relates to them is given only if the reader may see that too.
 * Spec: client-server API, "Server-side aggregation of child events" (v1.19).
 */
export async function bundleAggregations(reading: Reading, rows: readonly TimelineRow[]): Promise<Aggregations> {
  const parents = rows.filter((row) => row.related && row.state_key_no === null);
  if (parents.length === 0) return new Map();
  const bundling = { ...reading, ignored: [...(await readIgnoredNos(reading.session))] };
  const [threads, simple] = await Promise.all([readThreads(bundling, parents), readSimple(bundling, parents)]);
  const bundles = new Map<number, string>();
  for (const row of parents) {
    const thread = threads.get(row.event_id);
    const members = [...(simple.get(row.event_id) ?? []), ...(thread === undefined ? [] : [thread])];
    if (members.length > 0) bundles.set(row.event_no, object(members));
  }
  return bundles;
}

type Member = readonly [relType: string, json: string];

/** Edits and references: all that an event inside a thread can have. */
async function readSimple(reading: BundleReading, rows: readonly TimelineRow[]): Promise<Map<string, Member[]>> {
  const [edits, references] = await Promise.all([readEdits(reading, rows), readReferences(reading, rows)]);
  const byParent = Map.groupBy(references, (row) => row.parent_id);
  return new Map(
    rows.map((row) => {
      const edit = edits.get(row.event_id);
      const referring = byParent.get(row.event_id)?.map((found) => ({ event_id: found.event_id }));
      return [
        row.event_id,
        [
          ...(edit === undefined ? [] : [['m.replace', edit] as const]),
          ...(referring === undefined ? [] : [['m.reference', JSON.stringify({ chunk: referring })] as const]),
        ],
      ];
    }),
  );
}

async function readReferences(reading: BundleReading, rows: readonly TimelineRow[]): Promise<ChildRow[]> {
  const found = await selectReferences(reading.session.db, parentsOf(reading, rows));
  return visibleOf(reading, found);
}

async function visibleOf<Row extends TimelineRow>(
  { session, standings }: Reading,
  rows: readonly Row[],
): Promise<Row[]> {
  const visible = new Set<TimelineRow>(await filterVisible(session, rows, standings));
  return rows.filter((row) => visible.has(row));
}

function parentsOf({ standings, ignored }: BundleReading, rows: readonly TimelineRow[]): Parents {
  return {
    roomNos: rows.map((row) => row.room_no),
    eventIds: rows.map((row) => row.event_id),
    senderNos: rows.map((row) => row.sender_no),
    typeNos: rows.map((row) => row.type_no),
    ends: rows.map((row) => standings.get(row.room_no)?.until ?? Number.MAX_SAFE_INTEGER),
    ignored,
  };
}

/** The newest valid edit of each event. A redacted event, and an edit itself, have none. */
async function readEdits(reading: BundleReading, rows: readonly TimelineRow[]): Promise<Map<string, string>> {
  const editable = rows.filter((row) => row.because_id === null && relationOf(row) !== 'm.replace');
  if (editable.length === 0) return new Map();
  const found = (await selectEdits(reading.session.db, parentsOf(reading, editable))).filter(isValidEdit);
  const newest = new Map<string, ChildRow>();
  for (const row of await visibleOf(reading, found)) if (!newest.has(row.parent_id)) newest.set(row.parent_id, row);
  const texts = await render(reading, [...newest.values()], new Map());
  return textsByParent([...newest.values()], texts);
}

/** Spec: client-server API, "Validity of replacement events" (v1.19); sender, type and room have been looked at. */
function isValidEdit(row: ChildRow): boolean {
  const content = contentOf(row);
  return (
    jsonMembers(row.json).get('type') === '"m.room.encrypted"' || content.get('m.new_content')?.startsWith('{') === true
  );
}

function contentOf(row: TimelineRow): JsonMembers {
  return jsonMembers(jsonMembers(row.json).get('content') ?? '{}');
}

/** The type of relation that an event has, if any. */
export function relationOf(row: TimelineRow): string | undefined {
  const relation = contentOf(row).get('m.relates_to');
  return relation?.startsWith('{') === true ? jsonString(jsonMembers(relation).get('rel_type')) : undefined;
}

async function readThreads(reading: BundleReading, rows: readonly TimelineRow[]): Promise<Map<string, Member>> {
  const { session } = reading;
  const { userNo, deviceNo } = session.reader;
  const threads = await selectThreads(session.db, parentsOf(reading, rows), { userNo, deviceNo });
  if (threads.length === 0) return new Map();
  const related = threads.filter((row) => row.related);
  const inner = related.length === 0 ? new Map<string, Member[]>() : await readSimple(reading, related);
  const bundles = related.map((row) => [row.event_no, object(inner.get(row.event_id) ?? [])] as const);
  const texts = await render(reading, threads, new Map(bundles.filter(([, text]) => text !== '{}')));
  const roots = new Map(rows.map((row) => [row.event_id, row]));
  const given = threads.flatMap((thread): [string, Member][] => {
    const latest = texts.get(thread.event_no);
    if (latest === undefined) return [];
    const isOwn = roots.get(thread.parent_id)?.sender_no === userNo;
    return [[thread.parent_id, ['m.thread', threadJson(thread, latest, isOwn)]]];
  });
  return new Map(given);
}

function threadJson(thread: ThreadRow, latest: string, isOwn: boolean): string {
  return `{"latest_event":${latest},"count":${thread.count},"current_user_participated":${thread.participated || isOwn}}`;
}

/** Those that the reader may see, as client events. */
async function render(
  { session, standings, withRoomId }: Reading,
  rows: readonly TimelineRow[],
  bundles: Aggregations,
): Promise<Map<number, string>> {
  const texts = new Map<number, string>();
  for (const row of await filterVisible(session, rows, standings)) {
    const room = standings.get(row.room_no);
    if (room === undefined) continue;
    const view = {
      now: session.now,
      withRoomId,
      membership: membershipAfter(session, row),
      transactionId: ownTransaction(session, row),
      relations: bundles.get(row.event_no),
    };
    texts.set(row.event_no, clientEventJson(storedEvent(row, room), view));
  }
  return texts;
}

function textsByParent(rows: readonly ChildRow[], texts: ReadonlyMap<number, string>): Map<string, string> {
  const byParent = new Map<string, string>();
  for (const row of rows) {
    const text = texts.get(row.event_no);
    if (text !== undefined) byParent.set(row.parent_id, text);
  }
  return byParent;
}

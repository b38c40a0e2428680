import { selectDescendants, selectRelated } from '../storage/sync-reads/select-relations.ts';
import type { RelatedRange } from '../storage/sync-reads/select-relations.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { relationOf } from './aggregations.ts';
import type { SyncContext } from './context.ts';
import { giveTimelineEvents } from './give-events.ts';
import { heardIn } from './ignored-users.ts';
import { visibleEvent } from './one-event.ts';
import { formatPoint, pointAt, pointBefore } from './position.ts';
import type { TimelinePoint } from './position.ts';
import { openRoom } from './room-access.ts';
import type { RoomAccess } from './room-access.ts';
import { object } from './room-json.ts';
import { openSession } from './session.ts';
import type { ReadingUser, Session } from './session.ts';
import { filterVisible } from './visibility.ts';

export interface RelationsRequest {
  readonly roomId: string;
  readonly eventId: string;
  readonly relType: string | undefined;
  readonly eventType: string | undefined;
  readonly from: { readonly point: TimelinePoint; readonly token: string } | undefined;
  readonly to: TimelinePoint | undefined;
  readonly backwards: boolean;
  readonly limit: number;
  readonly recurse: boolean;
}

/** Numbers of `event_relations.rel_type`; 0 stands for all other types. */
const REL_TYPES: ReadonlyMap<string, number> = new Map([
  ['m.annotation', 1],
  ['m.replace', 2],
  ['m.thread', 3],
  ['m.reference', 4],
]);
const OTHER = 0;
const ALL_TYPES = [OTHER, ...REL_TYPES.values()];

/** Relations that are followed from an event to those that relate to it. */
const RECURSION_DEPTH = 3;
/** Rounds of looking further for events that the reader may see. */
const MAX_ROUNDS = 4;

interface Found {
  readonly events: readonly TimelineRow[];
  /** Where to go on, if there is more. */
  readonly next: TimelinePoint | undefined;
}

/**
 * The events that relate to an event, as JSON text. Errors: M_FORBIDDEN, M_NOT_FOUND (no such event, or not for the reader).
 * Spec: client-server API, "Relationships API" (v1.19).
 */
export async function readRelations(ctx: SyncContext, reader: ReadingUser, request: RelationsRequest): Promise<string> {
  const session = await openSession(ctx, reader);
  const access = await openRoom(session, request.roomId);
  await visibleEvent(session, access, request.eventId);
  const { events, next } = await findRelated(session, access, request);
  const texts = await giveTimelineEvents(session, events, access.standings, { withRoomId: true });
  return object([
    ['chunk', `[${events.flatMap((row) => texts.get(row.event_no) ?? []).join(',')}]`],
    ...(next === undefined ? [] : [['next_batch', JSON.stringify(formatPoint(next))] as const]),
    ...(request.from === undefined ? [] : [['prev_batch', JSON.stringify(request.from.token)] as const]),
    ...(request.recurse ? [['recursion_depth', String(RECURSION_DEPTH)] as const] : []),
  ]);
}

async function findRelated(session: Session, access: RoomAccess, request: RelationsRequest): Promise<Found> {
  const type = await typeNoOf(session, request);
  if (type === 'unknown') return { events: [], next: undefined };
  const isHeard = await heardIn(session, access);
  const events: TimelineRow[] = [];
  let range = firstRange(session, access, request, type);
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const rows = await selectPage(session, range, request);
    const wanted = rows.filter((row) => isHeard(row) && hasRelType(row, request.relType));
    events.push(...(await filterVisible(session, wanted, access.standings)));
    if (events.length > request.limit) return cut(events, request);
    const last = rows.at(-1);
    if (last === undefined || rows.length < range.limit) return { events, next: undefined };
    if (round === MAX_ROUNDS - 1) return { events, next: behind(last, request) };
    range = request.backwards ? { ...range, high: last.position - 1 } : { ...range, low: last.position };
  }
  return { events, next: undefined };
}

function cut(events: readonly TimelineRow[], request: RelationsRequest): Found {
  const given = events.slice(0, request.limit);
  const last = given.at(-1);
  return { events: given, next: last && behind(last, request) };
}

/** The point behind an event, in the direction of the request. */
function behind(row: TimelineRow, request: RelationsRequest): TimelinePoint {
  return request.backwards ? pointBefore(pointAt(row.position)) : pointAt(row.position);
}

/** A type that nobody has used yet has no events, and looking must not make it known. */
async function typeNoOf(session: Session, { eventType }: RelationsRequest): Promise<number | undefined | 'unknown'> {
  if (eventType === undefined) return undefined;
  return (await session.ctx.store.names.findTypeNo(eventType)) ?? 'unknown';
}

function firstRange(
  session: Session,
  access: RoomAccess,
  request: RelationsRequest,
  typeNo: number | undefined,
): RelatedRange {
  const { from, to, backwards } = request;
  const [start, end] = [from?.point.position, to?.position];
  const [low, high] = backwards ? [end, start] : [start, end];
  return {
    roomNo: access.standing.roomNo,
    parentId: request.eventId,
    relTypes: request.relType === undefined ? ALL_TYPES : [REL_TYPES.get(request.relType) ?? OTHER],
    typeNo,
    low: low ?? Number.MIN_SAFE_INTEGER,
    high: Math.min(high ?? access.high.position, access.high.position),
    limit: request.limit + 1,
    deviceNo: session.reader.deviceNo,
  };
}

function selectPage(session: Session, range: RelatedRange, request: RelationsRequest): Promise<TimelineRow[]> {
  const { backwards } = request;
  if (!request.recurse) return selectRelated(session.db, range, backwards);
  return selectDescendants(session.db, range, { backwards, depth: RECURSION_DEPTH });
}

function hasRelType(row: TimelineRow, relType: string | undefined): boolean {
  return relType === undefined || REL_TYPES.has(relType) || relationOf(row) === relType;
}

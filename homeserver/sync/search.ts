import { selectSearchableRooms, selectSearchedRooms } from '../storage/sync-reads/select-searchable.ts';
import type { SearchedRoomRow } from '../storage/sync-reads/select-searchable.ts';
import { selectTimelineEventsByNo } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import {
  selectHead,
  selectHitsByRank,
  selectRecentHits,
  selectSearchSummary,
  type SearchHit,
  type SearchQuery,
} from '../storage/tables/event_search.ts';
import type { SyncContext } from './context.ts';
import { compileFilter } from './event-matcher.ts';
import type { EventMatcher } from './event-matcher.ts';
import { isHeard, readIgnoredNos } from './ignored-users.ts';
import { MEMBERSHIP } from './membership.ts';
import { extendSearchIndex } from './search-index.ts';
import { searchAnswer } from './search-answer.ts';
import { groupOf, type FoundPage, type SearchedRoom, type SearchRequest } from './search-page.ts';
import type { SearchResult, SearchToken } from './search-page.ts';
import { parseSearchToken } from './search-token.ts';
import { openSession } from './session.ts';
import type { ReadingUser, Session } from './session.ts';
import { findDepartures, rulesOf, type Departure } from './standing.ts';
import { filteredEvent } from './stored-event.ts';
import { filterVisible } from './visibility.ts';
import type { Standings } from './visibility.ts';

/** What a search brings the index forward by at most before it looks; the background work keeps it closer than that. */
const CATCH_UP_CHUNKS = 5;
/** Rooms that are searched; of those that the reader has left the ones left last. */
const MAX_ROOMS = 10_000;
/** Rounds of looking for hits that the reader may see and wants. */
const MAX_ROUNDS = 4;

/**
 * Events with certain words in the rooms that the reader is or was in, as JSON text. What was committed before the search is in it.
 * Errors: M_INVALID_PARAM (a token of elsewhere). Spec: client-server API, "Server Side Search" (v1.19).
 */
export async function searchEvents(ctx: SyncContext, reader: ReadingUser, request: SearchRequest): Promise<string> {
  const from = request.from === undefined ? undefined : parseSearchToken(request.from, request.order);
  await extendSearchIndex((work) => ctx.store.db.transaction(work), CATCH_UP_CHUNKS);
  const session = await openSession(ctx, reader);
  const page = await findPage(session, request, from);
  return searchAnswer(session, request, page);
}

async function findPage(session: Session, request: SearchRequest, from: SearchToken | undefined): Promise<FoundPage> {
  const matcher = compileFilter(request.filter);
  const [rooms, head, ignored] = await Promise.all([
    searchableRooms(session),
    selectHead(session.db),
    readIgnoredNos(session),
  ]);
  const roomNos = rooms.filter((room) => matcher.matchesRoom(room.room_id)).map((room) => room.room_no);
  if (roomNos.length === 0) return nothing();
  const token = { upTo: from?.upTo ?? head, done: from?.done ?? 0, group: from?.group };
  const query: SearchQuery = { term: request.term, roomNos, kinds: request.kinds, upTo: token.upTo };
  const wants = { matcher, isHeard: isHeard(ignored), group: token.group };
  const [found, summary] = await Promise.all([
    findResults(session, request, { query, wants, done: token.done }),
    selectSearchSummary(session.db, query),
  ]);
  const next = found.done === undefined ? undefined : { ...token, done: found.done };
  return { ...found, ...summary, next, count: countOf(found.results, { request, from, counted: summary.count }) };
}

async function searchableRooms(session: Session) {
  const encryptionKey = await session.ctx.store.names.stateKeyNo('m.room.encryption', '');
  return selectSearchableRooms(session.db, { userNo: session.reader.userNo, encryptionKey, limit: MAX_ROOMS });
}

interface Counted {
  readonly request: SearchRequest;
  readonly from: SearchToken | undefined;
  readonly counted: number;
}

/** What the index counts has events that are not for the reader. Where a first page is not full they would be told of those. */
function countOf(results: readonly SearchResult[], { request, from, counted }: Counted): number {
  return from === undefined && results.length < request.limit ? results.length : counted;
}

function nothing(): FoundPage {
  return { results: [], next: undefined, count: 0, words: [], rooms: new Map(), standings: new Map() };
}

interface Wants {
  readonly matcher: EventMatcher;
  readonly isHeard: (row: TimelineRow) => boolean;
  readonly group: SearchToken['group'];
}

interface Looking {
  readonly query: SearchQuery;
  readonly wants: Wants;
  readonly done: number;
}

/** `done` undefined: there are no more. */
type Found = Pick<FoundPage, 'results' | 'rooms' | 'standings'> & { readonly done: number | undefined };

async function findResults(session: Session, request: SearchRequest, looking: Looking): Promise<Found> {
  const rooms = new Map<number, SearchedRoom>();
  const results: SearchResult[] = [];
  let done = looking.done;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const hits = await selectHits(session, request, { ...looking, done });
    await addRooms(session, rooms, hits);
    const standings = standingsOf(rooms);
    const visible = await resultsOf(session, hits, standings);
    for (const hit of hits) {
      if (results.length === request.limit) return { results, rooms, standings, done };
      const row = visible.get(hit.event_no);
      if (row !== undefined && isWanted(row, standings, looking.wants)) results.push({ row, rank: hit.rank });
      done = request.order === 'rank' ? done + 1 : hit.position;
    }
    // A full page has a token, as other servers give it, also where the next page will be empty.
    const isFull = results.length === request.limit;
    if (hits.length <= request.limit) return { results, rooms, standings, done: isFull ? done : undefined };
  }
  return { results, rooms, standings: standingsOf(rooms), done };
}

function isWanted(row: TimelineRow, standings: Standings, { matcher, isHeard: hears, group }: Wants): boolean {
  if (!hears(row) || (group !== undefined && groupOf(standings, row, group.key) !== group.name)) return false;
  return matcher.all || matcher.matches(filteredEvent(row));
}

function selectHits(session: Session, request: SearchRequest, { query, done }: Looking): Promise<SearchHit[]> {
  const limit = request.limit + 1;
  if (request.order === 'rank') return selectHitsByRank(session.db, query, { offset: done, limit });
  const upTo = done === 0 ? query.upTo : Math.min(query.upTo, done - 1);
  return selectRecentHits(session.db, { ...query, upTo }, limit);
}

async function addRooms(session: Session, rooms: Map<number, SearchedRoom>, hits: readonly SearchHit[]): Promise<void> {
  const missing = [...new Set(hits.map((hit) => hit.room_no))].filter((roomNo) => !rooms.has(roomNo));
  if (missing.length === 0) return;
  const rows = await selectSearchedRooms(session.db, session.reader.userNo, missing);
  const gone = rows.filter((row) => row.membership !== MEMBERSHIP.join);
  const departures = gone.length === 0 ? new Map<number, Departure>() : await findDepartures(session, gone);
  for (const row of rows) {
    const room = searchedRoom(row, departures.get(row.room_no));
    if (room !== undefined) rooms.set(row.room_no, room);
  }
}

/** Undefined: the reader was never in the room. */
function searchedRoom(row: SearchedRoomRow, departure: Departure | undefined): SearchedRoom | undefined {
  const room = { roomNo: row.room_no, roomId: row.room_id, rules: rulesOf(row.version) };
  if (row.membership === MEMBERSHIP.join)
    return { standing: { ...room, joinedNow: true, lastJoin: undefined }, snapshot: row.snapshot };
  if (departure?.lastJoin === undefined) return undefined;
  const { lastJoin, position: until, snapshot } = departure;
  return { standing: { ...room, joinedNow: false, lastJoin, until }, snapshot };
}

function standingsOf(rooms: ReadonlyMap<number, SearchedRoom>): Standings {
  return new Map([...rooms].map(([roomNo, room]) => [roomNo, room.standing]));
}

/** What is redacted meanwhile, or not for the reader, is no result. */
async function resultsOf(
  session: Session,
  hits: readonly SearchHit[],
  standings: Standings,
): Promise<Map<number, TimelineRow>> {
  if (hits.length === 0) return new Map();
  const eventNos = hits.map((hit) => hit.event_no);
  const rows = await selectTimelineEventsByNo(session.db, eventNos, session.reader.deviceNo);
  const within = (row: TimelineRow) => row.position <= (standings.get(row.room_no)?.until ?? row.position);
  const visible = await filterVisible(
    session,
    rows.filter((row) => row.because_id === null && standings.has(row.room_no) && within(row)),
    standings,
  );
  return new Map(visible.map((row) => [row.event_no, row]));
}

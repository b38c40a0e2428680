import { MatrixError } from '../errors.ts';
import { selectJoinedAmong } from '../storage/sync-reads/select-changes.ts';
import type { MembershipRow } from '../storage/sync-reads/select-changes.ts';
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
import { selectJoinedRoomNos } from '../storage/sync-reads/select-previews.ts';
import type { SyncContext } from './context.ts';
import { compileFilter } from './event-matcher.ts';
import type { EventMatcher } from './event-matcher.ts';
import { extendSearchIndex } from './search-index.ts';
import { searchAnswer } from './search-answer.ts';
import type { FoundPage, SearchRequest, SearchResult } from './search-page.ts';
import { openSession } from './session.ts';
import type { ReadingUser, Session } from './session.ts';
import { rulesOf } from './standing.ts';
import { filteredEvent } from './stored-event.ts';
import { filterVisible } from './visibility.ts';
import type { Standings } from './visibility.ts';

/** What a search brings the index forward by at most before it looks; the background work keeps it closer than that. */
const CATCH_UP_CHUNKS = 5;
/** Rounds of looking for hits that the reader may see and wants. */
const MAX_ROUNDS = 4;
const TOKEN = /^(rank|recent)_(\d{1,16})_(\d{1,16})$/;

/**
 * Events with certain words in the rooms that the reader is joined to, as JSON text. What was committed before the search is in it.
 * Errors: M_INVALID_PARAM (a token of elsewhere). Spec: client-server API, "Server Side Search" (v1.19).
 */
export async function searchEvents(ctx: SyncContext, reader: ReadingUser, request: SearchRequest): Promise<string> {
  const from = request.from === undefined ? undefined : parseToken(request.from, request);
  await extendSearchIndex((work) => ctx.store.db.transaction(work), CATCH_UP_CHUNKS);
  const session = await openSession(ctx, reader);
  const page = await findPage(session, request, from);
  return searchAnswer(session, request, page);
}

/** `done`: hits looked at so far for an order by rank, or the position to go on below for the newest first. */
interface Token {
  readonly upTo: number;
  readonly done: number;
}

function parseToken(text: string, request: SearchRequest): Token {
  const match = TOKEN.exec(text);
  if (match?.[1] !== request.order) throw new MatrixError('M_INVALID_PARAM', 'next_batch: belongs to another search.');
  return { upTo: Number(match[2]), done: Number(match[3]) };
}

async function findPage(session: Session, request: SearchRequest, from: Token | undefined): Promise<FoundPage> {
  const matcher = compileFilter(request.filter);
  const { db, reader } = session;
  const [joined, head] = await Promise.all([selectJoinedRoomNos(db, reader.userNo), selectHead(db)]);
  const roomNos = joined.filter((room) => matcher.matchesRoom(room.room_id)).map((room) => room.room_no);
  const upTo = from?.upTo ?? head;
  const query: SearchQuery = { term: request.term, roomNos, kinds: request.kinds, upTo };
  if (roomNos.length === 0) return nothing();
  const [found, summary] = await Promise.all([
    findResults(session, request, { query, matcher, done: from?.done ?? 0 }),
    selectSearchSummary(db, query),
  ]);
  const next = found.next === undefined ? undefined : `${request.order}_${upTo}_${found.next}`;
  return { ...found, ...summary, next };
}

function nothing(): FoundPage {
  return { results: [], next: undefined, count: 0, words: [], rooms: new Map(), standings: new Map() };
}

interface Looking {
  readonly query: SearchQuery;
  readonly matcher: EventMatcher;
  readonly done: number;
}

type Found = Pick<FoundPage, 'results' | 'rooms' | 'standings'> & { readonly next: number | undefined };

async function findResults(session: Session, request: SearchRequest, looking: Looking): Promise<Found> {
  const rooms = new Map<number, MembershipRow>();
  const results: SearchResult[] = [];
  let done = looking.done;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const hits = await selectHits(session, request, { ...looking, done });
    await addRooms(session, rooms, hits);
    const visible = await resultsOf(session, hits, standingsOf(rooms));
    for (const hit of hits) {
      if (results.length === request.limit) return { results, rooms, standings: standingsOf(rooms), next: done };
      const row = visible.get(hit.event_no);
      if (row !== undefined && isWanted(row, looking.matcher)) results.push({ row, rank: hit.rank });
      done = request.order === 'rank' ? done + 1 : hit.position;
    }
    // A full page has a token, as other servers give it, also where the next page will be empty.
    const isFull = results.length === request.limit;
    if (hits.length <= request.limit) {
      return { results, rooms, standings: standingsOf(rooms), next: isFull ? done : undefined };
    }
  }
  return { results, rooms, standings: standingsOf(rooms), next: done };
}

function isWanted(row: TimelineRow, matcher: EventMatcher): boolean {
  return matcher.all || matcher.matches(filteredEvent(row));
}

function selectHits(session: Session, request: SearchRequest, { query, done }: Looking): Promise<SearchHit[]> {
  const limit = request.limit + 1;
  if (request.order === 'rank') return selectHitsByRank(session.db, query, { offset: done, limit });
  const upTo = done === 0 ? query.upTo : Math.min(query.upTo, done - 1);
  return selectRecentHits(session.db, { ...query, upTo }, limit);
}

async function addRooms(
  session: Session,
  rooms: Map<number, MembershipRow>,
  hits: readonly SearchHit[],
): Promise<void> {
  const missing = [...new Set(hits.map((hit) => hit.room_no))].filter((roomNo) => !rooms.has(roomNo));
  if (missing.length === 0) return;
  for (const row of await selectJoinedAmong(session.db, session.reader.userNo, missing)) rooms.set(row.room_no, row);
}

function standingsOf(rooms: ReadonlyMap<number, MembershipRow>): Standings {
  return new Map(
    [...rooms.values()].map((row) => [
      row.room_no,
      {
        roomNo: row.room_no,
        roomId: row.room_id,
        rules: rulesOf(row.version),
        joinedNow: true,
        lastJoin: undefined,
      },
    ]),
  );
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
  const visible = await filterVisible(
    session,
    rows.filter((row) => row.because_id === null && standings.has(row.room_no)),
    standings,
  );
  return new Map(visible.map((row) => [row.event_no, row]));
}

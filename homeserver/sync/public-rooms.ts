import { MatrixError } from '../errors.ts';
import {
  selectPublishedAfter,
  selectPublishedBefore,
  selectPublishedCount,
  type DirectoryPlace,
  type PublishedRow,
} from '../storage/tables/published_rooms.ts';
import type { SyncContext } from './context.ts';
import { loadRoomFacts, publishedChunk, type RoomFacts } from './room-facts.ts';

export interface DirectoryRequest {
  readonly limit: number;
  readonly since: string | undefined;
  /** Of one network ('' is the main directory), or undefined for all. */
  readonly network: string | undefined;
  readonly searchTerm: string | undefined;
  /** Types of rooms, null for those without one; undefined for all. */
  readonly roomTypes: readonly (string | null)[] | undefined;
}

/** Rooms that one request looks at for those that fit the filter; what is behind them comes with the next page. */
const MAX_LOOKED_AT = 5000;
const CHUNK = 500;

const TOKEN = /^(f|b)(\d{1,10})_(\d{1,16})$/;

interface Token {
  readonly backwards: boolean;
  readonly place: DirectoryPlace;
}

interface Found {
  readonly facts: readonly RoomFacts[];
  /** Where to go on, when there is more. */
  readonly end: DirectoryPlace | undefined;
}

/**
 * A page of this server's directory, most members first. Errors: M_INVALID_PARAM (not a token of this directory).
 * Spec: client-server API, "Published room directory" (v1.19).
 */
export async function readPublicRooms(ctx: SyncContext, request: DirectoryRequest): Promise<unknown> {
  const token = request.since === undefined ? undefined : parseToken(request.since);
  const [found, total] = await Promise.all([
    findRooms(ctx, request, token),
    selectPublishedCount(ctx.store.db, request.network),
  ]);
  const backwards = token?.backwards === true;
  const facts = backwards ? found.facts.toReversed() : found.facts;
  return {
    chunk: facts.map(publishedChunk),
    next_batch: nextBatch(facts, found.end, token),
    prev_batch: prevBatch(facts, found.end, token),
    total_room_count_estimate: total,
  };
}

/** Forwards: behind what was looked at, if there is more. Backwards: there is the page that the client came from. */
function nextBatch(facts: readonly RoomFacts[], end: DirectoryPlace | undefined, token: Token | undefined) {
  if (token?.backwards !== true) return end && formatToken('f', end);
  const last = facts.at(-1);
  return last && formatToken('f', last);
}

function prevBatch(facts: readonly RoomFacts[], end: DirectoryPlace | undefined, token: Token | undefined) {
  if (token === undefined) return undefined;
  if (token.backwards) return end && formatToken('b', end);
  const first = facts[0];
  return formatToken('b', first ?? token.place);
}

function formatToken(direction: 'f' | 'b', place: DirectoryPlace): string {
  return `${direction}${place.joined}_${place.roomNo}`;
}

function parseToken(text: string): Token {
  const match = TOKEN.exec(text);
  if (match === null) throw new MatrixError('M_INVALID_PARAM', 'since: must be a token of this directory.');
  return { backwards: match[1] === 'b', place: { joined: Number(match[2]), roomNo: Number(match[3]) } };
}

async function findRooms(ctx: SyncContext, request: DirectoryRequest, token: Token | undefined): Promise<Found> {
  const isFiltered = request.searchTerm !== undefined || request.roomTypes !== undefined;
  const size = isFiltered ? CHUNK : request.limit + 1;
  const facts: RoomFacts[] = [];
  let place = token?.place;
  for (let looked = size; ; looked += size) {
    const rows = await nextRooms(ctx, request, { token, place, size });
    const known = await loadRoomFacts(ctx, rows);
    const fitting = rows.flatMap((row) => known.get(row.room_no) ?? []).filter((room) => fits(room, request));
    facts.push(...fitting);
    if (facts.length > request.limit) return cut(facts, request.limit);
    const last = rows.at(-1);
    if (rows.length < size || last === undefined) return { facts, end: undefined };
    place = { joined: last.joined, roomNo: last.room_no };
    if (looked >= MAX_LOOKED_AT) return { facts, end: place };
  }
}

/** What was looked at behind the last room given is looked at again on the next page. */
function cut(facts: readonly RoomFacts[], limit: number): Found {
  const given = facts.slice(0, limit);
  return { facts: given, end: given.at(-1) };
}

function nextRooms(
  ctx: SyncContext,
  request: DirectoryRequest,
  from: { token: Token | undefined; place: DirectoryPlace | undefined; size: number },
): Promise<PublishedRow[]> {
  const page = { network: request.network, limit: from.size };
  if (from.token?.backwards === true && from.place !== undefined)
    return selectPublishedBefore(ctx.store.db, from.place, page);
  return selectPublishedAfter(ctx.store.db, from.place, page);
}

/** The search term is part of the name, the topic or the alias, in whatever letters. */
function fits(facts: RoomFacts, { searchTerm, roomTypes }: DirectoryRequest): boolean {
  if (roomTypes !== undefined && !roomTypes.includes(facts.roomType ?? null)) return false;
  if (searchTerm === undefined) return true;
  const term = searchTerm.toLowerCase();
  return [facts.name, facts.topic, facts.canonicalAlias].some((text) => text?.toLowerCase().includes(term) === true);
}

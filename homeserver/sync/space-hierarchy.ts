import { MatrixError } from '../errors.ts';
import { isJsonObject, ownMember, ownString } from '../room/json-value.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import { selectSpaceChildren } from '../storage/sync-reads/select-previews.ts';
import type { SpaceChildRow } from '../storage/sync-reads/select-previews.ts';
import { selectRoomsById } from '../storage/tables/rooms.ts';
import { eventContentJson, strippedEventJson } from './client-event.ts';
import type { StoredEvent } from './client-event.ts';
import type { SyncContext } from './context.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import { loadRoomFacts } from './room-facts.ts';
import type { RoomFacts } from './room-facts.ts';
import { previewable, summaryOf } from './room-preview.ts';
import type { ReadingUser } from './session.ts';
import { rulesOf } from './standing.ts';

export interface HierarchyRequest {
  readonly roomId: string;
  readonly suggestedOnly: boolean;
  readonly limit: number;
  /** How many links down from the first room; undefined: as deep as the server goes. */
  readonly maxDepth: number | undefined;
  readonly from: string | undefined;
}

/** The tree is read anew for each page, level by level, so it has bounds: what lies beyond them is not given. */
const MAX_DEPTH = 10;
const MAX_ROOMS = 2000;
const MAX_CHILDREN = 1000;

const SPACE = 'm.space';
const TOKEN = /^h(\d{1,4})_(\d{1,4})_(all|suggested)$/;

/** A m.space.child that is valid. */
interface Child {
  readonly roomId: string;
  readonly order: string | undefined;
  readonly ts: number;
  /** The event as hierarchies give it. */
  readonly json: string;
}

interface Tree {
  readonly rooms: Map<string, RoomFacts>;
  /** Of spaces, in their order. */
  readonly children: Map<string, readonly Child[]>;
}

/**
 * A page of the rooms below a space that the reader may know of, the space itself first, depth first, each once; as JSON text.
 * Errors: M_FORBIDDEN (the space is not for the reader), M_INVALID_PARAM (`from` belongs to another request).
 * Spec: client-server API, "getSpaceHierarchy" (v1.19).
 */
export async function readSpaceHierarchy(
  ctx: SyncContext,
  reader: ReadingUser,
  request: HierarchyRequest,
): Promise<string> {
  const skip = request.from === undefined ? 0 : parseToken(request.from, request);
  const tree = await readTree(ctx, reader, request);
  if (!tree.rooms.has(request.roomId)) throw new MatrixError('M_FORBIDDEN', 'You may not look at this room.');
  const all = depthFirst(tree, request);
  const page = all.slice(skip, skip + request.limit);
  const rooms = page.map((facts) => roomJson(facts, tree.children.get(facts.roomId) ?? []));
  const next = skip + page.length < all.length ? `,"next_batch":"${formatToken(skip + page.length, request)}"` : '';
  return `{"rooms":[${rooms.join(',')}]${next}}`;
}

function roomJson(facts: RoomFacts, children: readonly Child[]): string {
  const summary = JSON.stringify(summaryOf(facts)).slice(0, -1);
  return `${summary},"children_state":[${children.map((child) => child.json).join(',')}]}`;
}

function depthOf(request: HierarchyRequest): number {
  return Math.min(request.maxDepth ?? MAX_DEPTH, MAX_DEPTH);
}

function formatToken(skip: number, request: HierarchyRequest): string {
  return `h${skip}_${depthOf(request)}_${request.suggestedOnly ? 'suggested' : 'all'}`;
}

function parseToken(from: string, request: HierarchyRequest): number {
  const skip = Number(TOKEN.exec(from)?.[1] ?? Number.NaN);
  if (Number.isNaN(skip)) throw new MatrixError('M_INVALID_PARAM', 'from: must be a next_batch of this request.');
  if (from === formatToken(skip, request)) return skip;
  throw new MatrixError('M_INVALID_PARAM', 'max_depth and suggested_only cannot change between pages.');
}

/** Level by level, a fixed number of queries for each. */
async function readTree(ctx: SyncContext, reader: ReadingUser, request: HierarchyRequest): Promise<Tree> {
  const tree: Tree = { rooms: new Map(), children: new Map() };
  const seen = new Set([request.roomId]);
  let level: readonly string[] = [request.roomId];
  for (let depth = 0; level.length > 0; depth += 1) {
    const spaces = await readLevel(ctx, reader, tree, level);
    await readChildren(ctx, tree, { spaces, suggestedOnly: request.suggestedOnly });
    if (depth >= depthOf(request)) break;
    const below = spaces.flatMap((space) => (tree.children.get(space.roomId) ?? []).map((child) => child.roomId));
    level = [...new Set(below)].filter((roomId) => !seen.has(roomId)).slice(0, MAX_ROOMS - seen.size);
    for (const roomId of level) seen.add(roomId);
  }
  return tree;
}

/** Adds the rooms that the reader may know of and gives back the spaces among them. */
async function readLevel(
  ctx: SyncContext,
  reader: ReadingUser,
  tree: Tree,
  roomIds: readonly string[],
): Promise<RoomFacts[]> {
  const facts = await loadRoomFacts(ctx, await selectRoomsById(ctx.store.db, roomIds));
  const previews = [...(await previewable(ctx, reader, [...facts.values()])).values()];
  for (const preview of previews) tree.rooms.set(preview.facts.roomId, preview.facts);
  return previews.map((preview) => preview.facts).filter((room) => room.roomType === SPACE);
}

async function readChildren(
  ctx: SyncContext,
  tree: Tree,
  { spaces, suggestedOnly }: { spaces: readonly RoomFacts[]; suggestedOnly: boolean },
): Promise<void> {
  if (spaces.length === 0) return;
  const childType = await ctx.store.names.typeNo('m.space.child');
  const roomNos = spaces.map((space) => space.roomNo);
  const rows = await selectSpaceChildren(ctx.store.db, roomNos, { childType, limit: MAX_CHILDREN });
  const byRoom = Map.groupBy(rows, (row) => row.room_no);
  for (const space of spaces) {
    const found = (byRoom.get(space.roomNo) ?? []).flatMap((row) => childOf(row, space, suggestedOnly) ?? []);
    tree.children.set(space.roomId, found.toSorted(inOrder));
  }
}

/** Undefined for a child without servers to join by, which is how children are taken away. Spec: "m.space.child" (v1.19). */
function childOf(row: SpaceChildRow, space: RoomFacts, suggestedOnly: boolean): Child | undefined {
  const event = childEvent(row, space);
  const content = parseLooseJson(eventContentJson(event));
  if (!content.ok || !isJsonObject(content.value)) return undefined;
  const via = ownMember(content.value, 'via');
  const isSuggested = ownMember(content.value, 'suggested') === true;
  if (!Array.isArray(via) || via.length === 0 || (suggestedOnly && !isSuggested)) return undefined;
  return {
    roomId: jsonString(jsonMembers(row.json).get('state_key')) ?? '',
    order: validOrder(ownString(content.value, 'order')),
    ts: row.ts,
    json: `${strippedEventJson(event).slice(0, -1)},"origin_server_ts":${row.ts}}`,
  };
}

function childEvent(row: SpaceChildRow, space: RoomFacts): StoredEvent {
  const event = { eventId: row.event_id, roomId: space.roomId, json: row.json, originServerTs: row.ts };
  if (row.because_id === null || row.because_json === null) return event;
  const because = { eventId: row.because_id, json: row.because_json, originServerTs: row.because_ts ?? 0 };
  return { ...event, redaction: { rules: rulesOf(Number(space.version)), because } };
}

/** Spec: client-server API, "m.space.child", `order` (v1.19): at most 50 characters from space to tilde. */
function validOrder(order: string | undefined): string | undefined {
  return order !== undefined && /^[\x20-\x7e]{1,50}$/.test(order) ? order : undefined;
}

/** Spec: client-server API, "Ordering of children within a space" (v1.19). */
function inOrder(a: Child, b: Child): number {
  if (a.order !== b.order) {
    if (a.order === undefined) return 1;
    if (b.order === undefined) return -1;
    return a.order < b.order ? -1 : 1;
  }
  return a.ts - b.ts || (a.roomId < b.roomId ? -1 : Number(a.roomId > b.roomId));
}

/** Each room once, where the walk meets it first: that breaks loops too. */
function depthFirst(tree: Tree, request: HierarchyRequest): RoomFacts[] {
  const found = new Map<string, RoomFacts>();
  const walk = (roomId: string, depth: number): void => {
    const facts = tree.rooms.get(roomId);
    if (facts === undefined || found.has(roomId)) return;
    found.set(roomId, facts);
    if (depth >= depthOf(request)) return;
    for (const child of tree.children.get(roomId) ?? []) walk(child.roomId, depth + 1);
  };
  walk(request.roomId, 0);
  return [...found.values()];
}

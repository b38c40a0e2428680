import { selectPublishedAmong } from '../storage/tables/published_rooms.ts';
import { selectEventsByNo } from '../storage/sync-reads/select-timeline.ts';
import { buildSync } from './build-sync.ts';
import { compileSyncFilter } from './compiled-filter.ts';
import type { SyncContext } from './context.ts';
import { giveStateEvents } from './give-events.ts';
import { formatPoint, formatSyncToken, pointAt } from './position.ts';
import { object } from './room-json.ts';
import type { RoomParts } from './room-json.ts';
import { openSession } from './session.ts';
import type { ReadingUser } from './session.ts';
import { rulesOf } from './standing.ts';
import type { MembershipRow } from '../storage/sync-reads/select-changes.ts';

/**
 * The state of all rooms of a user with their newest events, and the user's own data, as JSON text: what an initial `/sync` reads, in
 * the older shape. Spec: client-server API, `/initialSync`, deprecated (v1.19).
 */
export async function readInitialSync(
  ctx: SyncContext,
  reader: ReadingUser,
  asked: { limit: number; archived: boolean },
): Promise<string> {
  const filter = compileSyncFilter({ room: { include_leave: asked.archived, timeline: { limit: asked.limit } } });
  const request = { reader, since: undefined, filter, fullState: false, useStateAfter: true, eventsApart: true };
  const parts = await buildSync(ctx, request, () => ({ typing: [], presenceSince: undefined }));
  const roomNos = parts.rooms.map((room) => room.plan.row.room_no);
  const [published, invites] = await Promise.all([
    selectPublishedAmong(ctx.store.db, roomNos),
    readInvites(ctx, reader, parts.invited),
  ]);
  const rooms = parts.rooms.map((room) => roomJson(room, published.has(room.plan.row.room_no), parts.head));
  return object([
    ['end', JSON.stringify(formatSyncToken({ position: parts.head }))],
    ['presence', list(parts.presence.events)],
    ['rooms', list([...rooms, ...invites])],
    ['account_data', list(parts.accountData)],
  ]);
}

function roomJson(room: RoomParts, isPublished: boolean, head: number): string {
  const { plan, window } = room;
  const roomId = plan.row.room_id;
  const end = plan.section === 'join' ? pointAt(head) : plan.high;
  return object([
    ['room_id', JSON.stringify(roomId)],
    ['membership', plan.section === 'join' ? '"join"' : '"leave"'],
    [
      'messages',
      object([
        ['start', JSON.stringify(formatPoint(window.start))],
        ['end', JSON.stringify(formatPoint(end))],
        ['chunk', list(room.timeline.map((text) => inRoom(roomId, text)))],
      ]),
    ],
    ['state', list(room.state.map((text) => inRoom(roomId, text.toString())))],
    ['visibility', isPublished ? '"public"' : '"private"'],
    ['account_data', list(room.accountData)],
  ]);
}

/** Events of a sync do not name their room; here they do. */
function inRoom(roomId: string, text: string): string {
  return `{"room_id":${JSON.stringify(roomId)},${text.slice(1)}`;
}

async function readInvites(ctx: SyncContext, reader: ReadingUser, rows: readonly MembershipRow[]): Promise<string[]> {
  if (rows.length === 0) return [];
  const session = await openSession(ctx, reader);
  const standings = new Map(
    rows.map((row) => {
      const standing = { roomNo: row.room_no, roomId: row.room_id, rules: rulesOf(row.version) };
      return [row.room_no, { ...standing, joinedNow: false, lastJoin: undefined }];
    }),
  );
  const events = await selectEventsByNo(
    session.db,
    rows.map((row) => row.event_no),
  );
  const texts = giveStateEvents(session, events, standings, { withRoomId: true });
  return rows.map((row) =>
    object([
      ['room_id', JSON.stringify(row.room_id)],
      ['membership', '"invite"'],
      ['invite', texts.get(row.event_no) ?? '{}'],
    ]),
  );
}

function list(texts: readonly string[]): string {
  return `[${texts.join(',')}]`;
}

import { selectAccountDataOfRooms } from '../storage/sync-reads/select-streams.ts';
import { selectIsPublished } from '../storage/tables/published_rooms.ts';
import type { SyncContext } from './context.ts';
import { compileFilter } from './event-matcher.ts';
import { giveStateEvents, giveTimelineEvents } from './give-events.ts';
import { heardIn } from './ignored-users.ts';
import { formatPoint, START_OF_ROOM } from './position.ts';
import { openRoom } from './room-access.ts';
import type { RoomAccess } from './room-access.ts';
import { readEvents } from './read-events.ts';
import { object } from './room-json.ts';
import { openSession } from './session.ts';
import type { ReadingUser, Session } from './session.ts';
import { loadStates } from './state-maps.ts';
import { accountDataJson } from './streams/account-data.ts';
import { readWindows } from './streams/timeline.ts';

const MESSAGES = 20;

/**
 * State and newest events of a room, also for those who only look into it, as JSON text. Errors: M_FORBIDDEN.
 * Spec: client-server API, "Room Previews", roomInitialSync (v1.19).
 */
export async function readRoomInitialSync(ctx: SyncContext, reader: ReadingUser, roomId: string): Promise<string> {
  const session = await openSession(ctx, reader);
  const access = await openRoom(session, roomId);
  const { roomNo } = access.standing;
  const [messages, state, data, published] = await Promise.all([
    newestMessages(session, access),
    stateAt(session, access),
    selectAccountDataOfRooms(session.db, reader.userNo, [roomNo]),
    selectIsPublished(session.db, roomId),
  ]);
  return object([
    ['room_id', JSON.stringify(roomId)],
    ...membershipMember(access),
    ['messages', messages],
    ['state', `[${state.join(',')}]`],
    ['visibility', published === true ? '"public"' : '"private"'],
    ['account_data', `[${accountDataJson(data, compileFilter(undefined)).join(',')}]`],
  ]);
}

/** Who only looks into the room has no membership. */
function membershipMember({ standing }: RoomAccess): [string, string][] {
  if (standing.joinedNow) return [['membership', '"join"']];
  return standing.lastJoin === undefined ? [] : [['membership', '"leave"']];
}

async function newestMessages(session: Session, access: RoomAccess): Promise<string> {
  const { roomNo } = access.standing;
  const range = { roomNo, low: START_OF_ROOM, high: access.high };
  const matcher = compileFilter(undefined);
  const wanted = await heardIn(session, access);
  const options = { limit: MESSAGES, matcher, standings: access.standings, wanted, history: true };
  const window = (await readWindows(session, [range], options)).get(roomNo);
  const rows = window?.events ?? [];
  const texts = await giveTimelineEvents(session, rows, access.standings, { withRoomId: true });
  return object([
    ['start', JSON.stringify(formatPoint(window?.start ?? START_OF_ROOM))],
    ['end', JSON.stringify(formatPoint(access.high))],
    ['chunk', `[${rows.flatMap((row) => texts.get(row.event_no) ?? []).join(',')}]`],
  ]);
}

async function stateAt(session: Session, access: RoomAccess): Promise<string[]> {
  const state = (await loadStates(session, [access.end], true)).get(access.end);
  const rows = await readEvents(session, [...(state?.keys.values() ?? []), ...(state?.members.values() ?? [])]);
  return [...giveStateEvents(session, rows, access.standings, { withRoomId: true }).values()];
}

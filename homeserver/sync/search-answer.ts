import { isJsonObject, ownString } from '../room/json-value.ts';
import { parseStrictJson } from '../room/strict-json.ts';
import { selectMembersAt } from '../storage/sync-reads/select-state.ts';
import { selectEventsByNo } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { eventContentJson } from './client-event.ts';
import { compileFilter } from './event-matcher.ts';
import { giveStateEvents, giveTimelineEvents } from './give-events.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import { formatPoint, pointAt, pointBefore, START_OF_ROOM } from './position.ts';
import type { TimelinePoint } from './position.ts';
import { readEvents } from './read-events.ts';
import { object } from './room-json.ts';
import { isHeard, readIgnoredNos } from './ignored-users.ts';
import { groupOf, type FoundPage, type SearchRequest, type SearchResult } from './search-page.ts';
import { formatSearchToken } from './search-token.ts';
import type { Session } from './session.ts';
import { loadStates } from './state-maps.ts';
import { storedEvent } from './stored-event.ts';
import { readForward } from './streams/timeline-forward.ts';
import { readWindows, type WindowOptions } from './streams/timeline.ts';

/** What is around a result. */
interface Around {
  readonly before: readonly TimelineRow[];
  readonly after: readonly TimelineRow[];
  readonly start: TimelinePoint;
  readonly end: TimelinePoint;
}

/** The answer to a search. Spec: client-server API, "Server Side Search" (v1.19). */
export async function searchAnswer(session: Session, request: SearchRequest, page: FoundPage): Promise<string> {
  const around = await readAllAround(session, request, page);
  const rows = page.results.flatMap(({ row }) => eventsOf(row, around.get(row.event_no)));
  const unique = [...new Map(rows.map((row) => [row.event_no, row])).values()];
  const [texts, profiles, state] = await Promise.all([
    giveTimelineEvents(session, unique, page.standings, { withRoomId: true }),
    request.context?.profiles === true ? readProfiles(session, page, around) : new Map<number, string>(),
    request.includeState ? readStates(session, page) : undefined,
  ]);
  const results = page.results.map((result) => resultJson(result, { texts, around, profiles }));
  const category = object([
    ['count', String(page.count)],
    ['highlights', JSON.stringify(page.words)],
    ['results', `[${results.join(',')}]`],
    ...(request.groupBy.length === 0 ? [] : [['groups', groupsJson(request, page)] as const]),
    ...(state === undefined ? [] : [['state', state] as const]),
    ...(page.next === undefined
      ? []
      : [['next_batch', JSON.stringify(formatSearchToken(request.order, page.next))] as const]),
  ]);
  return `{"search_categories":{"room_events":${category}}}`;
}

function eventsOf(row: TimelineRow, around: Around | undefined): TimelineRow[] {
  return [...(around?.before ?? []), row, ...(around?.after ?? [])];
}

interface Parts {
  readonly texts: ReadonlyMap<number, string>;
  readonly around: ReadonlyMap<number, Around>;
  readonly profiles: ReadonlyMap<number, string>;
}

function resultJson({ row, rank }: SearchResult, { texts, around, profiles }: Parts): string {
  const list = (rows: readonly TimelineRow[]) =>
    `[${rows.flatMap((found) => texts.get(found.event_no) ?? []).join(',')}]`;
  const near = around.get(row.event_no);
  const profile = profiles.get(row.event_no);
  return object([
    ['rank', String(rank)],
    ['result', texts.get(row.event_no) ?? '{}'],
    ...(near === undefined
      ? []
      : [
          [
            'context',
            object([
              ['start', JSON.stringify(formatPoint(near.start))],
              ['end', JSON.stringify(formatPoint(near.end))],
              ['events_before', list(near.before)],
              ['events_after', list(near.after)],
              ...(profile === undefined ? [] : [['profile_info', profile] as const]),
            ]),
          ] as const,
        ]),
  ]);
}

/** By the numbers of the results. */
async function readAllAround(session: Session, request: SearchRequest, page: FoundPage): Promise<Map<number, Around>> {
  const around = new Map<number, Around>();
  if (request.context === undefined) return around;
  const matcher = compileFilter(undefined);
  const wanted = isHeard(await readIgnoredNos(session));
  const options = { matcher, standings: page.standings, wanted, history: true, limit: 0 };
  for (const { row } of page.results)
    around.set(row.event_no, await readAround(session, request.context, row, options));
  return around;
}

/** Before: the nearest first, as in `/context`. */
async function readAround(
  session: Session,
  { before, after }: NonNullable<SearchRequest['context']>,
  row: TimelineRow,
  options: WindowOptions,
): Promise<Around> {
  const roomNo = row.room_no;
  const earlier = { roomNo, low: START_OF_ROOM, high: pointBefore(row) };
  const until = options.standings.get(roomNo)?.until ?? Number.MAX_SAFE_INTEGER;
  const later = { roomNo, low: row, high: pointAt(until) };
  const [windows, forward] = await Promise.all([
    readWindows(session, [earlier], { ...options, limit: before }),
    readForward(session, later, { ...options, limit: after }),
  ]);
  const window = windows.get(roomNo);
  const last = forward.events.at(-1) ?? row;
  return {
    before: window?.events.toReversed() ?? [],
    after: forward.events,
    start: window?.start ?? pointBefore(row),
    end: { anchor: last.anchor, position: last.position },
  };
}

/** Profiles of the senders of a result and what is around it, as they stood then. */
async function readProfiles(
  session: Session,
  page: FoundPage,
  around: ReadonlyMap<number, Around>,
): Promise<Map<number, string>> {
  const wanted = page.results.flatMap(({ row }) => {
    const senders = new Set(eventsOf(row, around.get(row.event_no)).map((found) => found.sender_no));
    return [...senders].map((userNo) => ({ eventNo: row.event_no, snapshot: row.state_after, userNo }));
  });
  const entries = await selectMembersAt(session.db, {
    snapshots: wanted.map(({ snapshot }) => snapshot),
    keys: wanted.map(({ userNo }) => userNo),
  });
  const rows = await selectEventsByNo(session.db, [...new Set(entries.map((entry) => entry.event_no))]);
  const byNo = new Map(rows.map((row) => [row.event_no, row]));
  const events = new Map(entries.map((entry) => [`${entry.snapshot}/${entry.key}`, byNo.get(entry.event_no)]));
  const profiles = new Map<number, [string, string][]>();
  for (const { eventNo, snapshot, userNo } of wanted) {
    const member = events.get(`${snapshot}/${userNo}`);
    const room = member === undefined ? undefined : page.standings.get(member.room_no);
    if (member === undefined || room === undefined) continue;
    const userId = jsonString(jsonMembers(member.json).get('state_key')) ?? '';
    const known = profiles.get(eventNo) ?? [];
    profiles.set(eventNo, [...known, [userId, profileJson(eventContentJson(storedEvent(member, room)))]]);
  }
  return new Map([...profiles].map(([eventNo, members]) => [eventNo, object(members)]));
}

function profileJson(content: string): string {
  const parsed = parseStrictJson(content);
  if (!parsed.ok || !isJsonObject(parsed.value)) return '{}';
  const displayname = ownString(parsed.value, 'displayname');
  const avatar_url = ownString(parsed.value, 'avatar_url');
  return JSON.stringify({ displayname, avatar_url });
}

/** The state of the rooms of the results, by room id: the present one, or where the reader left. */
async function readStates(session: Session, page: FoundPage): Promise<string> {
  const roomNos = new Set(page.results.map(({ row }) => row.room_no));
  const rooms = [...page.rooms.values()].filter((room) => roomNos.has(room.standing.roomNo));
  const states = await loadStates(
    session,
    rooms.map((room) => room.snapshot),
    true,
  );
  const all = rooms.flatMap((room) => {
    const state = states.get(room.snapshot);
    return [...(state?.keys.values() ?? []), ...(state?.members.values() ?? [])];
  });
  const rows = await readEvents(session, all);
  const texts = giveStateEvents(session, rows, page.standings, { withRoomId: true });
  const byRoom = Map.groupBy(rows, (row) => row.room_no);
  return object(
    rooms.map(({ standing: { roomNo, roomId } }) => {
      const events = (byRoom.get(roomNo) ?? []).flatMap((row) => texts.get(row.event_no) ?? []);
      return [roomId, `[${events.join(',')}]`] as const;
    }),
  );
}

/** Groups of the results of this page, in the order in which they come up; each with where only its own results go on. */
function groupsJson(request: SearchRequest, { results, next, standings }: FoundPage): string {
  const groups = request.groupBy.map((key) => {
    const found = Map.groupBy(results, ({ row }) => groupOf(standings, row, key));
    const members = [...found].map(([name, those], i) => {
      const next_batch = next && formatSearchToken(request.order, { ...next, group: { key, name } });
      const group = { results: those.map(({ row }) => row.event_id), order: i + 1, next_batch };
      return [name, JSON.stringify(group)] as const;
    });
    return [key, object(members)] as const;
  });
  return object(groups);
}

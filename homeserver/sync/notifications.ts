import { MatrixError } from '../errors.ts';
import type { PushVerdict } from '../room/push-evaluator.ts';
import { selectNotified, type NotifiedRow } from '../storage/sync-reads/select-notified.ts';
import { selectTimelineEventsByNo } from '../storage/sync-reads/select-timeline.ts';
import type { SyncContext } from './context.ts';
import { giveTimelineEvents } from './give-events.ts';
import { readIgnoredNos } from './ignored-users.ts';
import { readNewestPushRules } from './push-rules.ts';
import type { PushCandidate } from './push-candidate.ts';
import { judgeEvents } from './push-verdicts.ts';
import { object } from './room-json.ts';
import { openSession } from './session.ts';
import type { ReadingUser, Session } from './session.ts';
import { rulesOf } from './standing.ts';
import { filterVisible, type Standings } from './visibility.ts';

export interface NotificationsRequest {
  readonly from: string | undefined;
  readonly limit: number;
  readonly onlyHighlights: boolean;
}

/** Events that are judged for one answer: a page may hold fewer notifications than asked for, and the next one goes on behind it. */
const EVENTS_AT_ONCE = 200;
const MOST_ROUNDS = 10;

const TOKEN = /^n(\d{1,16})$/;

/**
 * What the reader has been, or would have been, notified of by the push rules as they are now, newest first, as JSON text. Errors:
 * M_INVALID_PARAM (the token). Spec: client-server API, "Listing Notifications" (v1.19).
 */
export async function readNotifications(
  ctx: SyncContext,
  reader: ReadingUser,
  request: NotificationsRequest,
): Promise<string> {
  const before = request.from === undefined ? Number.MAX_SAFE_INTEGER : parseToken(request.from);
  const session = await openSession(ctx, reader);
  const { found, next } = await findNotifications(session, request, before);
  const texts = await eventTexts(session, found);
  const notifications = found.flatMap((notification) => notificationJson(notification, texts) ?? []);
  return object([
    ['notifications', `[${notifications.join(',')}]`],
    ...(next === undefined ? [] : [['next_token', `"n${next}"`] as const]),
  ]);
}

function parseToken(text: string): number {
  const position = Number(TOKEN.exec(text)?.[1] ?? Number.NaN);
  if (Number.isSafeInteger(position)) return position;
  throw new MatrixError('M_INVALID_PARAM', 'from: must be a next_token of this request.');
}

interface Notification {
  readonly row: NotifiedRow;
  readonly verdict: PushVerdict;
}

interface Page {
  readonly found: readonly Notification[];
  /** What comes next is before this position; undefined: nothing does. */
  readonly next: number | undefined;
}

async function findNotifications(session: Session, request: NotificationsRequest, before: number): Promise<Page> {
  const found: Notification[] = [];
  let next = before;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const rows = await selectNotified(session.db, session.reader.userNo, { before: next, limit: EVENTS_AT_ONCE });
    const all = await judged(session, rows, request);
    const taken = all.slice(0, request.limit - found.length);
    found.push(...taken);
    if (taken.length < all.length) return { found, next: found.at(-1)?.row.position };
    const last = rows.at(-1);
    if (last === undefined || rows.length < EVENTS_AT_ONCE) return { found, next: undefined };
    next = last.position;
    if (found.length === request.limit) break;
  }
  return { found, next };
}

async function judged(
  session: Session,
  rows: readonly NotifiedRow[],
  { onlyHighlights }: NotificationsRequest,
): Promise<Notification[]> {
  const { ctx, reader } = session;
  const [rules, ignored] = await Promise.all([readNewestPushRules(ctx, reader), readIgnoredNos(session)]);
  const wanted = rows.filter((row) => !row.redacted && row.sender_no !== reader.userNo && !ignored.has(row.sender_no));
  const verdicts = await judgeEvents(session, rules, { events: await candidatesOf(session, wanted), atHand: [] });
  return wanted.flatMap((row) => {
    const verdict = verdicts.get(row.event_no);
    const isWanted = verdict?.notify === true && (verdict.highlight || !onlyHighlights);
    return isWanted ? [{ row, verdict }] : [];
  });
}

async function candidatesOf(session: Session, rows: readonly NotifiedRow[]): Promise<PushCandidate[]> {
  const { names } = session.ctx.store;
  const [types, senders] = await Promise.all([
    names.types(rows.map((row) => row.type_no)),
    names.userIds(rows.map((row) => row.sender_no)),
  ]);
  return rows.map((row) => ({
    eventNo: row.event_no,
    anchor: row.position,
    room: {
      roomId: row.room_id,
      rules: rulesOf(row.version),
      joined: row.joined,
      ownMember: { eventNo: row.own_event_no, position: row.own_position },
    },
    type: types.get(row.type_no) ?? '',
    sender: senders.get(row.sender_no) ?? '',
    // What makes an invite one stands in its content.
    flags: row.is_invite ? 0 : row.flags,
  }));
}

/** The events as JSON, by number; those that the reader may not see (any more) are missing. */
async function eventTexts(session: Session, found: readonly Notification[]): Promise<Map<number, string>> {
  const numbers = found.map(({ row }) => row.event_no);
  const rows = await selectTimelineEventsByNo(session.db, numbers, session.reader.deviceNo);
  const standings: Standings = new Map(
    found.map(({ row }) => [
      row.room_no,
      {
        roomNo: row.room_no,
        roomId: row.room_id,
        rules: rulesOf(row.version),
        joinedNow: !row.is_invite,
        lastJoin: undefined,
      },
    ]),
  );
  const invites = new Set(found.filter(({ row }) => row.is_invite).map(({ row }) => row.event_no));
  const visible = new Set(await filterVisible(session, rows, standings));
  const given = rows.filter((row) => visible.has(row) || invites.has(row.event_no));
  return giveTimelineEvents(session, given, standings, { withRoomId: false });
}

function notificationJson({ row, verdict }: Notification, texts: ReadonlyMap<number, string>): string | undefined {
  const event = texts.get(row.event_no);
  if (event === undefined) return undefined;
  return object([
    ['actions', JSON.stringify(verdict.actions)],
    ['event', event],
    ['read', String(row.is_read)],
    ['room_id', JSON.stringify(row.room_id)],
    ['ts', String(row.ts)],
  ]);
}

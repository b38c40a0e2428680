import { selectPresentUsers, selectSharedPresenceAfter } from '../../storage/tables/presence.ts';
import type { ToldPresenceRow } from '../../storage/tables/presence.ts';
import type { FoundChanges } from '../changes-memory.ts';
import type { SyncContext } from '../context.ts';
import type { EventMatcher } from '../event-matcher.ts';
import { PRESENCE_SLACK_MS } from '../presence-feed.ts';
import { toldContent } from '../presence-rows.ts';
import type { Interest } from '../recent-commits.ts';
import type { SyncRequest } from '../sync-request.ts';
import type { SyncToken } from '../position.ts';

/** Most presence events of one answer; of more the newest changes count. */
const MAX_EVENTS = 5000;

/** Where the client stands with presence. */
export interface PresenceSince {
  readonly interest: Interest;
  /** Number of the asked replica up to which it has been told; undefined: another replica told it. */
  readonly serial: number | undefined;
  /** Time up to which it has been told. */
  readonly time: number;
}

/** Whether the request asks for presence at all, and this server has any. */
export function wantsPresence(ctx: SyncContext, { filter }: SyncRequest): boolean {
  return ctx.sync.presence !== undefined && filter.presence.limit !== 0;
}

/** Most rows of presence for an initial sync; 0: none are wanted. */
export function presenceRows(ctx: SyncContext, request: SyncRequest): number {
  return wantsPresence(ctx, request) ? MAX_EVENTS : 0;
}

/** Presence events of an answer. */
export interface PresenceNews {
  /** JSON texts. */
  readonly events: readonly string[];
  /** Whether they are worth an answer: what a user's own clients do makes none of their polls end. */
  readonly isNews: boolean;
}

const NO_PRESENCE: PresenceNews = { events: [], isNews: false };

/** Presence that changed since, from memory; undefined when only the table knows. */
export function presenceInMemory(
  ctx: SyncContext,
  request: SyncRequest,
  since: PresenceSince,
): PresenceNews | undefined {
  if (!wantsPresence(ctx, request)) return NO_PRESENCE;
  const changes = changesInMemory(ctx, since);
  return changes && give(changes, request);
}

function changesInMemory(ctx: SyncContext, { serial, interest }: PresenceSince): Told[] | undefined {
  if (serial === undefined) return undefined;
  const changes = ctx.sync.presence?.feed.changesSince(interest, serial);
  return changes?.map(({ row, clockAheadMs }) => ({ row, now: Date.now() + clockAheadMs }));
}

/** What a client that goes on does not know. */
export interface AskedPresence extends PresenceSince {
  /** Rooms and users that the client learns of for the first time. */
  readonly rooms: readonly number[];
  readonly userNos: readonly number[];
}

/** Presence for an initial sync, from what was read with the rest. */
export async function givePresence(
  ctx: SyncContext,
  request: SyncRequest,
  read: FoundChanges['changes'],
): Promise<PresenceNews> {
  if (!wantsPresence(ctx, request) || !('present_user_nos' in read)) return NO_PRESENCE;
  const { present_user_nos: userNos, present_states: states, present_active_ago: ago } = read;
  const names = await ctx.store.names.userIds(userNos);
  const present = userNos.map((userNo, i): Told => {
    const shown = states[i] ?? 0;
    const activeAgo = ago[i] ?? -1;
    const [statusMsg, displayname, avatarUrl] = read.present_texts?.[String(userNo)] ?? [null, null, null];
    const row = {
      user_no: userNo,
      user_id: names.get(userNo) ?? '',
      state: shown >> 1,
      currently_active: (shown & 1) === 1,
      status_msg: statusMsg,
      displayname,
      avatar_url: avatarUrl,
      // Counted from `now`, whatever that is.
      last_active_at: activeAgo < 0 ? 0 : 1,
    };
    return { row, now: activeAgo + 1 };
  });
  return give(present, request);
}

/** What a client does not know of presence yet: changes, and who is there in rooms and of users that are new to it. */
export async function readPresence(
  ctx: SyncContext,
  request: SyncRequest,
  asked: AskedPresence,
): Promise<PresenceNews> {
  if (!wantsPresence(ctx, request)) return NO_PRESENCE;
  const [changes, present] = await Promise.all([readChanges(ctx, asked), readPresent(ctx, asked)]);
  const changed = new Set(changes.map(({ row }) => row.user_no));
  return give([...changes, ...present.filter(({ row }) => !changed.has(row.user_no))], request);
}

async function readChanges(ctx: SyncContext, since: PresenceSince): Promise<Told[]> {
  const inMemory = changesInMemory(ctx, since);
  if (inMemory !== undefined) return inMemory;
  const reader = { userNo: since.interest.userNo, after: since.time - PRESENCE_SLACK_MS };
  return (await selectSharedPresenceAfter(ctx.store.db, reader, MAX_EVENTS)).map(asRead);
}

async function readPresent(ctx: SyncContext, { rooms, userNos }: AskedPresence): Promise<Told[]> {
  if (rooms.length + userNos.length === 0) return [];
  return (await selectPresentUsers(ctx.store.db, { rooms, userNos }, MAX_EVENTS)).map(asRead);
}

/** A row and the time, by the database's clock, at which it is told. */
interface Told {
  readonly row: Omit<ToldPresenceRow, 'changed_at' | 'now'>;
  readonly now: number;
}

function asRead(row: ToldPresenceRow): Told {
  return { row, now: row.now };
}

function give(rows: readonly Told[], { filter, reader }: SyncRequest): PresenceNews {
  const wanted = rows.filter(({ row }) => passes(filter.presence, row.user_id));
  const told = wanted.slice(0, filter.presence.limit ?? MAX_EVENTS);
  const events = told.map(({ row, now }) =>
    JSON.stringify({ type: 'm.presence', sender: row.user_id, content: toldContent(row, now) }),
  );
  return { events, isNews: told.some(({ row }) => row.user_no !== reader.userNo) };
}

function passes(matcher: EventMatcher, sender: string): boolean {
  return matcher.all || matcher.matches({ type: 'm.presence', sender, hasUrl: () => false });
}

/** Up to which change of the asked replica, and up to which time, a token's client has been told of presence. */
export function presenceSince(replicaNo: number, interest: Interest, token: SyncToken): PresenceSince {
  // What another replica has told meanwhile is told once more: that does no harm.
  const serial = token.marks?.find((mark) => mark.replica === replicaNo)?.serial;
  return { interest, serial, time: token.presence ?? 0 };
}

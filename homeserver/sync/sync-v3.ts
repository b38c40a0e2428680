import type { EndSignal } from '../end-signal.ts';
import { buildSync } from './build-sync.ts';
import type { SyncParts, VolatileNews } from './build-sync.ts';
import type { SyncContext } from './context.ts';
import { formatSyncToken, MAX_MARKS } from './position.ts';
import type { SyncToken, VolatileMark } from './position.ts';
import type { WakeReason } from './notifier.ts';
import type { Interest } from './recent-commits.ts';
import type { JsonText } from './json-text.ts';
import { events, objectOf } from './room-json.ts';
import { presenceInMemory, presenceSince, wantsPresence } from './streams/presence.ts';
import type { SyncRequest } from './sync-request.ts';
import type { TypingRoomUsers } from './typing.ts';

/**
 * Answers `/sync` as JSON text: at once when there is news, else after waiting up to `timeoutMs` for some. While nothing
 * concerns the reader no query runs. `signals` are asked for when there is something to wait for.
 * Spec: client-server API, "Syncing" (v1.19).
 */
export async function syncV3(
  ctx: SyncContext,
  request: SyncRequest,
  timeoutMs: number,
  signals: () => readonly EndSignal[],
): Promise<JsonText> {
  const { since } = request;
  if (since === undefined || request.fullState) return (await lookOnce(ctx, request)).text;
  const deadline = performance.now() + timeoutMs;
  ctx.sync.lazyMembers.noteArrival(request.reader.deviceNo, since.position);
  // Another replica may have told the client of commits that this one has not seen: read your writes.
  if (since.position > ctx.store.feed.seen) await ctx.store.feed.catchUp();
  // Memory may lag a few ms behind the database: a client that waits is woken then, one that does not wait has to be told now.
  const still = timeoutMs > 0 ? stillAnswer(ctx, request, since) : undefined;
  let answer = still ?? (await lookOnce(ctx, request));
  while (!answer.hasNews) {
    const reason = await waitForNews(ctx, answer, deadline - performance.now(), signals);
    if (reason !== 'woken') break;
    answer = volatileAnswer(ctx, request, answer) ?? (await lookOnce(ctx, request));
  }
  return answer.text;
}

/** How far a look has come. */
interface Look {
  readonly token: SyncToken;
  /** What is committed after it wakes the poll. */
  readonly position: number;
  /** Number of this replica's newest change without a position that is in it. */
  readonly serial: number;
  /** Number of the newest such change that was looked at, also where it was none for this reader: waiting begins after it. */
  readonly looked: number;
  readonly interest: Interest;
}

interface Answer extends Look {
  readonly text: JsonText;
  readonly hasNews: boolean;
}

function waitForNews(
  ctx: SyncContext,
  answer: Answer,
  leftMs: number,
  signals: () => readonly EndSignal[],
): Promise<WakeReason> {
  const { notifier, typing, presence } = ctx.sync;
  if (leftMs <= 0) return Promise.resolve('timeout');
  // What changed since the look would wake nobody any more.
  const { interest, looked } = answer;
  if (typing.hasChangedSince(interest.rooms, looked)) return Promise.resolve('woken');
  if (presence?.feed.hasChangedSince(interest, looked) === true) return Promise.resolve('woken');
  return notifier.wait(interest, answer.position, leftMs, signals());
}

/** The answer, if memory alone can tell that nothing has been committed since the token. */
function stillAnswer(ctx: SyncContext, request: SyncRequest, since: SyncToken): Answer | undefined {
  const interest = ctx.sync.notifier.knownInterest(request.reader.userNo);
  if (interest === undefined || since.position > ctx.store.feed.seen) return undefined;
  const serial = serialOf(ctx, since);
  return serial === undefined && wantsPresence(ctx, request)
    ? undefined
    : volatileAnswer(ctx, request, {
        token: since,
        position: since.position,
        serial: serial ?? 0,
        looked: serial ?? 0,
        interest,
      });
}

/** The answer after a look, without a query, if nothing was committed since and nobody types: presence may have changed. */
function volatileAnswer(ctx: SyncContext, request: SyncRequest, last: Look): Answer | undefined {
  const { notifier, typing } = ctx.sync;
  if (notifier.mayHaveChanged(last.interest, last.position)) return undefined;
  if (typing.hasChangedSince(last.interest.rooms, last.serial)) return undefined;
  const mark = markOf(ctx);
  const presence = presenceInMemory(ctx, request, { ...last, time: 0 });
  if (presence === undefined) return undefined;
  const { interest, position } = last;
  const { position: head } = last.token;
  const rooms = { rooms: [], invited: [], join: [], leave: [], invite: [], knock: [] };
  const parts = { head, interest, ...rooms, accountData: [], presence };
  const looked = mark.serial;
  if (!presence.isNews) return { ...last, looked, text: answerJson(parts, last.token), hasNews: false };
  const token = nextToken(request, head, mark, last.token);
  return { text: answerJson(parts, token), hasNews: true, token, position, serial: looked, looked, interest };
}

async function lookOnce(ctx: SyncContext, request: SyncRequest): Promise<Answer> {
  const end = ctx.metrics.syncSeconds.startTimer({ kind: request.since === undefined ? 'initial' : 'incremental' });
  // Whatever this replica knew of before it looked is in the answer, also after a failover that took the newest commits back.
  const { seen } = ctx.store.feed;
  let mark = markOf(ctx);
  const parts = await buildSync(ctx, request, (interest) => {
    // An initial sync has read presence with the rest, before this.
    if (request.since !== undefined) mark = markOf(ctx);
    return volatileNews(ctx, request.since, interest);
  });
  end();
  ctx.sync.notifier.rememberInterest(parts.interest, parts.head);
  const { head, interest, join, leave, invite, knock, accountData, presence } = parts;
  const token = nextToken(request, head, mark, request.since);
  return {
    text: answerJson(parts, token),
    hasNews: presence.isNews || [join, leave, invite, knock, accountData].some((part) => part.length > 0),
    token,
    position: Math.max(head, seen),
    serial: mark.serial,
    looked: mark.serial,
    interest,
  };
}

function volatileNews(ctx: SyncContext, since: SyncToken | undefined, interest: Interest): VolatileNews {
  return {
    typing: typingNews(ctx, since, interest.rooms),
    presenceSince: since && presenceSince(ctx.store.replica.replicaNo, interest, since),
  };
}

/** Rooms whose typing users the client does not know; to a client of an initial sync only those where somebody types. */
function typingNews(
  ctx: SyncContext,
  since: SyncToken | undefined,
  rooms: ReadonlySet<number>,
): readonly TypingRoomUsers[] {
  const { typing } = ctx.sync;
  if (since === undefined) return typing.changesSince(rooms, 0).filter((room) => room.userIds.length > 0);
  return typing.changesSince(rooms, serialOf(ctx, since) ?? 0);
}

/** Up to which change of this replica the client knows who types and who is there; undefined: it comes from another one. */
function serialOf(ctx: SyncContext, since: SyncToken): number | undefined {
  return since.marks?.find((known) => known.replica === ctx.store.replica.replicaNo)?.serial;
}

/** Where this replica stands with what has no position. */
interface Mark extends VolatileMark {
  /** Undefined: there is no presence here. */
  readonly presence: number | undefined;
}

function markOf(ctx: SyncContext): Mark {
  const { serial, presence } = ctx.sync;
  return { replica: ctx.store.replica.replicaNo, serial: serial.value, presence: presence?.feed.newest };
}

function nextToken(request: SyncRequest, position: number, mark: Mark, before: SyncToken | undefined): SyncToken {
  const marks = nextMarks(mark, before);
  return {
    position,
    ...(request.filter.lazyMembers && { began: before?.began ?? position }),
    ...(marks.length > 0 && { marks }),
    ...(mark.presence !== undefined && { presence: mark.presence }),
  };
}

function nextMarks({ replica, serial, presence }: Mark, before: SyncToken | undefined): VolatileMark[] {
  const others = before?.marks?.filter((known) => known.replica !== replica) ?? [];
  // Without presence a mark says only who types: nobody has since this replica started.
  if (presence === undefined && serial === 0 && others.length === 0) return [];
  return [{ replica, serial }, ...others].slice(0, MAX_MARKS);
}

/** Sections of parts of the server that do not exist yet (to-device, device lists) are empty, as they are. */
function answerJson(parts: SyncParts, next: SyncToken): JsonText {
  const { join, leave, invite, knock, accountData } = parts;
  const rooms = Object.entries({ join, leave, invite, knock }).flatMap(([name, section]): [string, JsonText][] =>
    section.length === 0 ? [] : [[name, objectOf(section)]],
  );
  return objectOf([
    ['next_batch', JSON.stringify(formatSyncToken(next))],
    ...(rooms.length === 0 ? [] : [['rooms', objectOf(rooms)] as const]),
    ...(accountData.length === 0 ? [] : [['account_data', events(accountData)] as const]),
    ['presence', events(parts.presence.events)],
    ['to_device', events([])],
    ['device_lists', '{"changed":[],"left":[]}'],
    ['device_one_time_keys_count', '{}'],
    ['device_unused_fallback_key_types', '[]'],
  ]);
}

import type { HeroRow } from '../storage/sync-reads/select-members.ts';
import { joinJson, type JsonPiece, type JsonText } from './json-text.ts';
import { NO_MEMBERSHIP } from './membership.ts';
import { formatPoint } from './position.ts';
import type { RoomPlan } from './streams/rooms.ts';
import { summaryJson } from './streams/summary.ts';
import type { TimelineWindow } from './streams/timeline.ts';
import { sumOf } from './streams/unread.ts';
import type { RoomUnread, UnreadCount } from './unread-memory.ts';

/** Everything that an answer says of one room; events are JSON texts, those of a whole state one piece with commas between. */
export interface RoomParts {
  readonly plan: RoomPlan;
  readonly window: TimelineWindow;
  readonly timeline: readonly string[];
  readonly state: readonly JsonPiece[];
  readonly stateIsAfter: boolean;
  readonly ephemeral: readonly string[];
  readonly accountData: readonly string[];
  /** Undefined: no new summary. */
  readonly heroes: readonly HeroRow[] | undefined;
  readonly unread: RoomUnread;
  /** Threads are told apart; otherwise they are counted with the rest. */
  readonly threadsApart: boolean;
  /** The unread notifications may be others although nothing else is new. */
  readonly isRecounted: boolean;
}

/** Whether there is anything to tell; a room that is new to the client is always told. */
export function hasNews(parts: RoomParts): boolean {
  const { plan, isRecounted } = parts;
  if (plan.isNew || plan.state === 'full' || isRecounted || plan.row.membership === NO_MEMBERSHIP) return true;
  return parts.timeline.length + parts.state.length + parts.ephemeral.length + parts.accountData.length > 0;
}

/** A member of `rooms.join` or `rooms.leave`. Spec: client-server API, "Syncing" (v1.19). */
export function roomJson(parts: RoomParts): JsonText {
  const { window } = parts;
  const timeline = `{"events":${list(parts.timeline)},"limited":${window.limited},"prev_batch":"${formatPoint(window.start)}"}`;
  const before = `{"timeline":${timeline},"${parts.stateIsAfter ? 'state_after' : 'state'}":{"events":[`;
  const after = `]},"account_data":${events(parts.accountData)}${ofJoined(parts)}}`;
  return joinJson([before, joinJson(parts.state, ','), after]);
}

function ofJoined(parts: RoomParts): string {
  const { plan, heroes } = parts;
  if (plan.section === 'leave') return '';
  const summary = heroes === undefined ? '' : `,"summary":${summaryJson(plan, heroes)}`;
  return `,"ephemeral":${events(parts.ephemeral)},${countsJson(parts)}${summary}`;
}

function countsJson({ unread, threadsApart }: RoomParts): string {
  if (!threadsApart) return `"unread_notifications":${countJson(sumOf(unread.values()))}`;
  const threads = [...unread].filter(([thread]) => thread !== 'main');
  const main = `"unread_notifications":${countJson(unread.get('main') ?? sumOf([]))}`;
  // Left out when nothing is unread, as other servers do: clients take it as none either way.
  if (threads.length === 0) return main;
  const apart = object(threads.map(([root, count]) => [root, countJson(count)] as const));
  return `${main},"unread_thread_notifications":${apart}`;
}

function countJson({ notifications, highlights }: UnreadCount): string {
  return `{"highlight_count":${highlights},"notification_count":${notifications}}`;
}

/** `{"events":[...]}`. */
export function events(texts: readonly string[]): string {
  return `{"events":${list(texts)}}`;
}

// Texts are put together by `+`, which copies nothing until the answer is sent: joined, an answer of 50 rooms was copied five times.

/** An object from keys and JSON texts. */
export function object(members: Iterable<readonly [string, string]>): string {
  let text = '';
  for (const [key, value] of members) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${value}`;
  return `{${text}}`;
}

/** The same of members that may be in pieces. */
export function objectOf(members: readonly (readonly [string, JsonText])[]): JsonText {
  const texts = members.map(([key, text]) => {
    return typeof text === 'string' ? `${JSON.stringify(key)}:${text}` : joinJson([`${JSON.stringify(key)}:`, text]);
  });
  return joinJson(['{', joinJson(texts, ','), '}']);
}

function list(texts: readonly string[]): string {
  let text = '';
  for (const [i, one] of texts.entries()) text += i === 0 ? one : `,${one}`;
  return `[${text}]`;
}

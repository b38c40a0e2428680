import { blocksInvites, INVITE_PERMISSION } from '../../rooms/invite-permission.ts';
import { selectAccountDataOfRooms } from '../../storage/sync-reads/select-streams.ts';
import type { AccountDataRow } from '../../storage/sync-reads/select-streams.ts';
import type { EventMatcher } from '../event-matcher.ts';
import { IGNORED_LIST, ignoredUsersOf } from '../ignored-users.ts';
import { readPushRules } from '../push-rules.ts';
import type { Session } from '../session.ts';

/** The reader's account data as far as an answer needs it. */
export interface AccountData {
  readonly global: readonly AccountDataRow[];
  readonly byRoom: ReadonlyMap<number, readonly AccountDataRow[]>;
  /** Users whose messages and invites the reader does not want. */
  readonly ignored: ReadonlySet<string>;
  /** Position at which that list was changed last; 0: there is none. */
  readonly ignoredPosition: number;
  /** The reader wants no invites at all. */
  readonly blocksInvites: boolean;
}

/** Sorts what was read of the account data; `rows` may hold the list of ignored users and the permission to invite although they are old. */
export function sortAccountData(rows: readonly AccountDataRow[], since: number | undefined): AccountData {
  const fresh = rows.filter((row) => row.position > (since ?? 0));
  const ignored = rows.find((row) => row.room_no === 0 && row.type === IGNORED_LIST);
  const permission = rows.find((row) => row.room_no === 0 && row.type === INVITE_PERMISSION);
  return {
    global: fresh.filter((row) => row.room_no === 0),
    byRoom: Map.groupBy(
      fresh.filter((row) => row.room_no !== 0),
      (row) => row.room_no,
    ),
    ignored: ignored === undefined ? new Set() : ignoredUsersOf(ignored.content),
    ignoredPosition: ignored?.position ?? 0,
    blocksInvites: permission !== undefined && blocksInvites(permission.content),
  };
}

/** All account data of rooms that the client learns of for the first time. */
export async function readDataOfNewRooms(
  session: Session,
  rooms: readonly number[],
): Promise<Map<number, readonly AccountDataRow[]>> {
  if (rooms.length === 0) return new Map();
  return Map.groupBy(await selectAccountDataOfRooms(session.db, session.reader.userNo, rooms), (row) => row.room_no);
}

/** `{type, content}` events that pass the filter. */
export function accountDataJson(rows: readonly AccountDataRow[], matcher: EventMatcher): string[] {
  return rows
    .filter((row) => passes(row.type, row.content, matcher))
    .map((row) => `{"type":${JSON.stringify(row.type)},"content":${row.content}}`);
}

/** The push rules as an event. */
export async function pushRulesJson(session: Session, position: number, matcher: EventMatcher): Promise<string[]> {
  const { text: content } = await readPushRules(session.ctx, session.reader, position);
  return passes('m.push_rules', content, matcher) ? [`{"type":"m.push_rules","content":${content}}`] : [];
}

function passes(type: string, content: string, matcher: EventMatcher): boolean {
  if (matcher.all) return true;
  return matcher.matches({ type, sender: undefined, hasUrl: () => content.includes('"url"') });
}

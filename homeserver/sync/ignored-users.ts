import { ownObject } from '../room/json-value.ts';
import { parseJsonObject } from '../room/strict-json.ts';
import { selectAccountData } from '../storage/sync-reads/select-streams.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { RoomAccess } from './room-access.ts';
import type { Session } from './session.ts';

/** Type of the account data that lists them. */
export const IGNORED_LIST = 'm.ignored_user_list';

/** Spec: client-server API, "Ignoring Users" (v1.19). A list of another shape ignores nobody. */
export function ignoredUsersOf(content: string): ReadonlySet<string> {
  return new Set(Object.keys(ownObject(parseJsonObject(content), 'ignored_users') ?? {}));
}

/** Numbers of the users whom the reader ignores. */
export async function readIgnoredNos(session: Session): Promise<ReadonlySet<number>> {
  const { userNo } = session.reader;
  const content = await selectAccountData(session.db, { userNo, roomNo: 0, type: IGNORED_LIST });
  if (content === undefined) return new Set();
  const names = [...ignoredUsersOf(content)];
  const numbers = await Promise.all(names.map((userId) => session.ctx.store.names.findUserNo(userId)));
  return new Set(numbers.filter((no) => no !== undefined));
}

/**
 * Whether an event is for the reader: of ignored users only state is. From memory when this replica has seen every commit up to the
 * moment at which the room was opened. Spec: client-server API, "Ignoring Users" (v1.19).
 */
export async function heardIn(session: Session, access: RoomAccess): Promise<(row: TimelineRow) => boolean> {
  const { ctx, reader } = session;
  // The end of what somebody who has left may read is older than the list may be.
  if (access.room === undefined) return isHeard(await readIgnoredNos(session));
  const head = access.high.position;
  const known = head <= ctx.store.feed.seen ? ctx.sync.ignored.get(reader.userNo) : undefined;
  if (known !== undefined) return isHeard(known);
  const ignored = await readIgnoredNos(session);
  ctx.sync.ignored.remember(reader.userNo, ignored, head);
  return isHeard(ignored);
}

export function isHeard(ignored: ReadonlySet<number>): (row: TimelineRow) => boolean {
  if (ignored.size === 0) return () => true;
  return (row) => row.state_key_no !== null || !ignored.has(row.sender_no);
}

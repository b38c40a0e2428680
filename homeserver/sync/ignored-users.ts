import { ownObject } from '../room/json-value.ts';
import { parseJsonObject } from '../room/strict-json.ts';
import { selectAccountData } from '../storage/sync-reads/select-streams.ts';
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

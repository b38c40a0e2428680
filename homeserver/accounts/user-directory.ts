import * as z from 'zod';
import { localpartOf, parseUserId } from '../room/identifiers.ts';
import { parsePlainJson } from '../room/strict-json.ts';
import type { Queryable } from '../storage/database.ts';
import { lockDirectorySources, selectDirectory, upsertDirectory } from '../storage/tables/user_directory.ts';
import type { DirectoryRow, DirectorySource } from '../storage/tables/user_directory.ts';
import {
  lockDirectoryProgress,
  selectNextAccounts,
  updateDirectoryProgress,
} from '../storage/tables/user_directory_progress.ts';
import type { AccountsContext } from './context.ts';
import { indexWords, searchKey, searchWords } from './directory-words.ts';

/** Accounts that one transaction of the check looks at; about 20 ms. */
const CHUNK = 500;
/** Pause between two rounds, ms. What a program of an older version wrote meanwhile is found by the next one. */
const ROUND_EVERY_MS = 3_600_000;

const JsonString = z.string();

/** Brings the directory up to date with some accounts and their profiles, in the transaction that changes them. */
export async function indexUsers(db: Queryable, userNos: readonly number[]): Promise<void> {
  const rows = (await lockDirectorySources(db, userNos)).map(directoryRow);
  if (rows.length > 0) await upsertDirectory(db, rows);
}

function directoryRow(source: DirectorySource): DirectoryRow {
  const userId = parseUserId(source.user_id);
  const localpart = userId === undefined ? '' : localpartOf(userId);
  const displayName = textOf(source.displayname);
  return {
    userNo: source.user_no,
    localKey: searchKey(localpart),
    nameKey: searchKey(displayName ?? ''),
    displayName,
    avatarUrl: textOf(source.avatar_url),
    words: [...new Set([...indexWords(localpart), ...indexWords(displayName ?? '')])],
  };
}

function textOf(json: string | null): string | null {
  if (json === null) return null;
  const parsed = JsonString.safeParse(parsePlainJson(json));
  return parsed.success ? parsed.data : null;
}

type Transaction = <T>(work: (db: Queryable) => Promise<T>) => Promise<T>;

/**
 * Goes on with checking the directory against all accounts, at most `maxChunks` transactions of it; nothing is done when the last round
 * ended lately. It fills the directory after the upgrade that brought it, and mends what programs before it have written since.
 */
export async function checkDirectory(transaction: Transaction, maxChunks: number): Promise<void> {
  for (let chunk = 0; chunk < maxChunks; chunk += 1) if (!(await transaction(checkChunk))) return;
}

/** Whether there is more to do. */
async function checkChunk(db: Queryable): Promise<boolean> {
  const { userNo, ageMs } = await lockDirectoryProgress(db);
  if (userNo === 0 && ageMs < ROUND_EVERY_MS) return false;
  const userNos = await selectNextAccounts(db, userNo, CHUNK);
  const last = userNos.at(-1);
  if (last !== undefined) await indexUsers(db, userNos);
  const isOver = last === undefined || userNos.length < CHUNK;
  await updateDirectoryProgress(db, isOver ? 0 : last);
  return !isOver;
}

/** Users whom the reader may know of, the best first. */
export interface DirectoryAnswer {
  readonly limited: boolean;
  readonly results: readonly { user_id: string; display_name?: string; avatar_url?: string }[];
}

/**
 * Searches the user directory: every word of the term must begin a word of the name or display name. Who shares no room with the reader
 * and is in no public or world-readable room is not found, unless the configuration opens the directory.
 * Spec: client-server API, "User Directory" (v1.19).
 */
export async function searchDirectory(
  ctx: AccountsContext,
  readerNo: number,
  asked: { term: string; limit: number },
): Promise<DirectoryAnswer> {
  const term = asked.term.trim();
  const name = term.startsWith('@') ? term.slice(1).replace(/:.*$/s, '') : term;
  const words = searchWords(name);
  if (words.length === 0) return { limited: false, results: [] };
  const { names, db } = ctx.store;
  const keys = await names.stateKeyNos([
    ['m.room.join_rules', ''],
    ['m.room.history_visibility', ''],
  ]);
  const search = {
    readerNo,
    words,
    key: searchKey(name),
    idPrefix: term.startsWith('@') ? term.toLowerCase() : undefined,
    all: ctx.config.userDirectory.visibility === 'All',
    roomKeys: keys,
  };
  const rows = await selectDirectory(db, search, asked.limit + 1);
  return { limited: rows.length > asked.limit, results: rows.slice(0, asked.limit).map(resultOf) };
}

function resultOf(row: { user_id: string; display_name: string | null; avatar_url: string | null }) {
  return {
    user_id: row.user_id,
    ...(row.display_name !== null && { display_name: row.display_name }),
    ...(row.avatar_url !== null && { avatar_url: row.avatar_url }),
  };
}

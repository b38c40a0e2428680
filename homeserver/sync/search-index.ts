import { isJsonObject, ownObject, ownString } from '../room/json-value.ts';
import { parseStrictJson } from '../room/strict-json.ts';
import type { Queryable } from '../storage/database.ts';
import {
  deleteRedacted,
  insertSearchable,
  SEARCH_KINDS,
  selectUnindexed,
  type SearchableEvent,
  type UnindexedRow,
} from '../storage/tables/event_search.ts';
import { selectSearchPosition, updateSearchPosition } from '../storage/tables/search_progress.ts';

/** Events of one transaction; about 50 ms when all of them are messages. */
const CHUNK = 1000;

interface Source {
  readonly key: string;
  readonly kind: number;
}

/** What is searched for, by the type of the event. */
const SOURCES: ReadonlyMap<string, Source> = new Map([
  ['m.room.message', { key: 'body', kind: SEARCH_KINDS['content.body'] }],
  ['m.room.name', { key: 'name', kind: SEARCH_KINDS['content.name'] }],
  ['m.room.topic', { key: 'topic', kind: SEARCH_KINDS['content.topic'] }],
]);

type Transaction = <T>(work: (db: Queryable) => Promise<T>) => Promise<T>;

/**
 * Brings the search index forward, chunk by chunk, until it has reached the end of the stream or `maxChunks` are done. The event
 * writers do not wait for it: it follows them, on whatever replica.
 */
export async function extendSearchIndex(transaction: Transaction, maxChunks: number): Promise<void> {
  for (let chunk = 0; chunk < maxChunks; chunk += 1) {
    if ((await transaction(indexChunk)) < CHUNK) return;
  }
}

/** How many events it has looked at. */
async function indexChunk(db: Queryable): Promise<number> {
  const after = await selectSearchPosition(db);
  const found = await selectUnindexed(db, { after, types: [...SOURCES.keys()], limit: CHUNK });
  const last = found.at(-1);
  if (last === undefined) return 0;
  const searchable = found.flatMap((row) => searchableOf(row, SOURCES.get(row.type)) ?? []);
  if (searchable.length > 0) await insertSearchable(db, searchable);
  const redactions = found.filter((row) => row.type === 'm.room.redaction').map((row) => row.event_no);
  if (redactions.length > 0) await deleteRedacted(db, redactions);
  await updateSearchPosition(db, last.position);
  return found.length;
}

/** The database makes the words; what it is to read there has been read here as strictly as any event. */
function searchableOf(row: UnindexedRow, source: Source | undefined): SearchableEvent | undefined {
  if (row.json === null || source === undefined) return undefined;
  const event = parseStrictJson(row.json);
  const content = event.ok && isJsonObject(event.value) ? ownObject(event.value, 'content') : undefined;
  const text = ownString(content ?? {}, source.key);
  if (text === undefined || text === '') return undefined;
  return { position: row.position, roomNo: row.room_no, kind: source.kind };
}

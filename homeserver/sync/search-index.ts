import { isJsonObject, ownObject, ownString } from '../room/json-value.ts';
import { parseStrictJson } from '../room/strict-json.ts';
import type { Queryable } from '../storage/database.ts';
import {
  deleteRedactedDocuments,
  SEARCH_KINDS,
  selectUnindexed,
  upsertDocuments,
  type SearchDocument,
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
  const documents = found.flatMap((row) => documentOf(row, SOURCES.get(row.type)) ?? []);
  if (documents.length > 0) await upsertDocuments(db, documents);
  const redactions = found.filter((row) => row.type === 'm.room.redaction').map((row) => row.event_no);
  if (redactions.length > 0) await deleteRedactedDocuments(db, redactions);
  await updateSearchPosition(db, last.position);
  return found.length;
}

function documentOf(row: UnindexedRow, source: Source | undefined): SearchDocument | undefined {
  if (row.json === null || source === undefined) return undefined;
  const event = parseStrictJson(row.json);
  const content = event.ok && isJsonObject(event.value) ? ownObject(event.value, 'content') : undefined;
  const text = ownString(content ?? {}, source.key)?.replaceAll('\0', ' ');
  if (text === undefined || text === '') return undefined;
  return { eventNo: row.event_no, roomNo: row.room_no, position: row.position, kind: source.kind, text };
}

import { isJsonObject, ownObject, ownString, type JsonObject } from '../room/json-value.ts';
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
import { plainTopicOf } from './room-facts.ts';

/** Events of one transaction; about 50 ms when all of them are messages. */
const CHUNK = 1000;

/** What is searched for, by the type of the event. Spec: client-server API, "room_events" of "Server Side Search" (v1.19). */
const KINDS: ReadonlyMap<string, (content: JsonObject) => number | undefined> = new Map([
  ['m.room.message', (content: JsonObject) => kindIf(SEARCH_KINDS.body, ownString(content, 'body'))],
  ['m.room.name', (content: JsonObject) => kindIf(SEARCH_KINDS.name, ownString(content, 'name'))],
  ['m.room.topic', topicKind],
]);

function kindIf(kind: number, text: string | undefined): number | undefined {
  return text === undefined || text === '' ? undefined : kind;
}

/** Most topics say the same in both forms. */
function topicKind(content: JsonObject): number | undefined {
  const [topic, plain] = [ownString(content, 'topic'), plainTopicOf(content)];
  return plain === undefined || plain === topic ? kindIf(SEARCH_KINDS.topic, topic) : SEARCH_KINDS.bothTopics;
}

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
  const found = await selectUnindexed(db, { after, types: [...KINDS.keys()], limit: CHUNK });
  const last = found.at(-1);
  if (last === undefined) return 0;
  const searchable = found.flatMap((row) => searchableOf(row) ?? []);
  if (searchable.length > 0) await insertSearchable(db, searchable);
  const redactions = found.filter((row) => row.type === 'm.room.redaction').map((row) => row.event_no);
  if (redactions.length > 0) await deleteRedacted(db, redactions);
  await updateSearchPosition(db, last.position);
  return found.length;
}

/** The database makes the words; what it is to read there has been read here as strictly as any event. */
function searchableOf(row: UnindexedRow): SearchableEvent | undefined {
  const kindOf = KINDS.get(row.type);
  if (row.json === null || kindOf === undefined) return undefined;
  const event = parseStrictJson(row.json);
  const content = event.ok && isJsonObject(event.value) ? ownObject(event.value, 'content') : undefined;
  const kind = kindOf(content ?? {});
  return kind === undefined ? undefined : { position: row.position, roomNo: row.room_no, kind };
}

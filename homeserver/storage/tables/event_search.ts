/**
 * event_search: a row holds the words of an event. Written behind the event writers by the search index, read by searches. Grows by a
 * row a message (about 300 B with its index); deleted when the event is redacted, and with the room.
 */
import type { Queryable } from '../database.ts';

/** `event_search.kind`. */
export const SEARCH_KINDS = { 'content.body': 1, 'content.name': 2, 'content.topic': 3 } as const;

export interface UnindexedRow {
  event_no: number;
  room_no: number;
  position: number;
  type: string;
  /** Null for events of types that are not asked for, and for redacted ones. */
  json: string | null;
}

const UNINDEXED = `
select e.event_no, e.room_no, e.position, y.type,
  case when y.type = any($2::text[]) and not exists (
    select 1 from redactions d where d.redacted_event_id = e.event_id
  ) then e.json end as json
from (
  select event_no, room_no, position, type_no, event_id, json from events
  where position > $1 order by position limit $3
) e
join event_types y on y.type_no = e.type_no
order by e.position`;

/** The events that come after a position in the stream. */
export function selectUnindexed(
  db: Queryable,
  range: { after: number; types: readonly string[]; limit: number },
): Promise<UnindexedRow[]> {
  const values = [range.after, range.types, range.limit];
  return db.query({ name: 'events_select_unindexed', text: UNINDEXED, values });
}

export interface SearchDocument {
  eventNo: number;
  roomNo: number;
  position: number;
  kind: number;
  /** Without U+0000, which PostgreSQL cannot hold. */
  text: string;
}

// The simple configuration knows no language: a server has people of many.
const INSERT = `
insert into event_search (event_no, room_no, position, kind, document)
select d.event_no, d.room_no, d.position, d.kind,
  to_tsvector('simple', d.text) || array_to_tsvector(array[chr(1) || d.room_no])
from unnest($1::int8[], $2::int8[], $3::int8[], $4::int2[], $5::text[]) as d(event_no, room_no, position, kind, text)
on conflict (event_no) do update set room_no = excluded.room_no, position = excluded.position, kind = excluded.kind,
  document = excluded.document`;

export async function upsertDocuments(db: Queryable, documents: readonly SearchDocument[]): Promise<void> {
  const column = (pick: (document: SearchDocument) => number | string) => documents.map(pick);
  const values = [
    column((document) => document.eventNo),
    column((document) => document.roomNo),
    column((document) => document.position),
    column((document) => document.kind),
    column((document) => document.text),
  ];
  await db.query({ name: 'event_search_upsert', text: INSERT, values });
}

const DELETE_REDACTED = `
delete from event_search s using redactions d, events e
where d.event_no = any($1::int8[]) and e.event_id = d.redacted_event_id and s.event_no = e.event_no`;

/** Forgets the words of what these events redact. */
export async function deleteRedactedDocuments(db: Queryable, redactionNos: readonly number[]): Promise<void> {
  await db.query({ name: 'event_search_delete_redacted', text: DELETE_REDACTED, values: [redactionNos] });
}

export interface SearchQuery {
  term: string;
  roomNos: readonly number[];
  kinds: readonly number[];
  /** Nothing newer than this. */
  upTo: number;
}

export interface SearchHit {
  event_no: number;
  room_no: number;
  position: number;
  rank: number;
}

// Of more than ten thousand hits the newest count. Few rooms are looked up in the index beside the words: for many of them that costs
// more than reading all hits of the words (16 rooms 10 ms, 64 rooms 50 ms, 500 rooms 2.3 s against 45 ms; docs/decisions/0011-search.md).
const BY_RANK = `
select s.event_no, s.room_no, s.position, ts_rank_cd(s.document, s.words) as rank
from (
  select h.event_no, h.room_no, h.position, h.document, q.words
  from (select websearch_to_tsquery('simple', $1) as words,
    case when cardinality($2::int8[]) <= 32
      then (select string_agg('''' || chr(1) || r.no || '''', '|') from unnest($2::int8[]) as r(no))::tsquery end as rooms) q
  join event_search h on h.document @@ coalesce(q.words && q.rooms, q.words)
  where h.room_no = any($2::int8[]) and h.kind = any($3::int2[]) and h.position <= $4 and numnode(q.words) > 0
  order by h.position desc limit 10000
) s
order by rank desc, s.position desc offset $5 limit $6`;

/** Events that hold the words, the best first. */
export function selectHitsByRank(
  db: Queryable,
  query: SearchQuery,
  page: { offset: number; limit: number },
): Promise<SearchHit[]> {
  const values = [query.term, query.roomNos, query.kinds, query.upTo, page.offset, page.limit];
  return db.query({ name: 'event_search_select_by_rank', text: BY_RANK, values });
}

const RECENT = `
select h.event_no, h.room_no, h.position, ts_rank_cd(h.document, q.words) as rank
from (select websearch_to_tsquery('simple', $1) as words,
  case when cardinality($2::int8[]) <= 32
    then (select string_agg('''' || chr(1) || r.no || '''', '|') from unnest($2::int8[]) as r(no))::tsquery end as rooms) q
join event_search h on h.document @@ coalesce(q.words && q.rooms, q.words)
where h.room_no = any($2::int8[]) and h.kind = any($3::int2[]) and h.position <= $4 and numnode(q.words) > 0
order by h.position desc limit $5`;

/** Events that hold the words, the newest first. */
export function selectRecentHits(db: Queryable, query: SearchQuery, limit: number): Promise<SearchHit[]> {
  const values = [query.term, query.roomNos, query.kinds, query.upTo, limit];
  return db.query({ name: 'event_search_select_recent', text: RECENT, values });
}

const SUMMARY = `
select tsvector_to_array(to_tsvector('simple', $1)) as words, (select count(*)::int4 from (
  select 1
  from (select websearch_to_tsquery('simple', $1) as words,
    case when cardinality($2::int8[]) <= 32
      then (select string_agg('''' || chr(1) || r.no || '''', '|') from unnest($2::int8[]) as r(no))::tsquery end as rooms) q
  join event_search h on h.document @@ coalesce(q.words && q.rooms, q.words)
  where h.room_no = any($2::int8[]) and h.kind = any($3::int2[]) and h.position <= $4 and numnode(q.words) > 0 limit 10000
) c) as count`;

/** The words that are looked for, and how many events hold them, counted up to ten thousand. */
export async function selectSearchSummary(
  db: Queryable,
  query: SearchQuery,
): Promise<{ words: string[]; count: number }> {
  const values = [query.term, query.roomNos, query.kinds, query.upTo];
  const rows = await db.query<{ words: string[]; count: number }>({
    name: 'event_search_select_summary',
    text: SUMMARY,
    values,
  });
  return rows[0] ?? { words: [], count: 0 };
}

const HEAD = `select coalesce(max(position), 0) as head from commits`;

/** Position of the newest committed batch. */
export async function selectHead(db: Queryable): Promise<number> {
  const rows = await db.query<{ head: number }>({ name: 'commits_select_search_head', text: HEAD });
  return rows[0]?.head ?? 0;
}

/**
 * event_search: a row is an event whose words are in the index. Written behind the event writers by the search index, read by
 * searches. Grows by a row a message (about 150 B with its indexes); deleted when the event is redacted, and with the room. Not in
 * backups: it is made again from the events.
 */
import type { Queryable } from '../database.ts';

/** `event_search.kind`. */
export const SEARCH_KINDS = { body: 1, name: 2, topic: 3, bothTopics: 4 } as const;

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

export interface SearchableEvent {
  position: number;
  roomNo: number;
  kind: number;
}

const INSERT = `
insert into event_search (position, room_no, kind)
select * from unnest($1::int8[], $2::int8[], $3::int2[])
on conflict (position) do nothing`;

export async function insertSearchable(db: Queryable, events: readonly SearchableEvent[]): Promise<void> {
  const column = (pick: (event: SearchableEvent) => number) => events.map(pick);
  const values = [column((event) => event.position), column((event) => event.roomNo), column((event) => event.kind)];
  await db.query({ name: 'event_search_insert', text: INSERT, values });
}

const DELETE_REDACTED = `
delete from event_search s using redactions d, events e
where d.event_no = any($1::int8[]) and e.event_id = d.redacted_event_id and s.position = e.position`;

/** Forgets the words of what these events redact. */
export async function deleteRedacted(db: Queryable, redactionNos: readonly number[]): Promise<void> {
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

// Few rooms are looked up in the index beside the words: for many of them that costs more than reading all hits of the words (16 rooms
// 10 ms, 64 rooms 50 ms, 500 rooms 2.3 s against 45 ms; docs/decisions/0011-search.md). The index does not know which word follows which,
// and to look at an event costs 40 us: of a phrase the index is asked for its words, and the newest thousand events that hold
// them are looked at. U+0002 is in no event, and so stands for a phrase that must not be there.
const HITS = `
with q as materialized (
  select a.words, a.words::text ~ ' <[-0-9]+> ' as has_phrase, regexp_replace(
    regexp_replace(a.words::text, '!\\( [^ ]+( <[-0-9]+> [^ ]+)+ \\)', '!''' || chr(2) || '''', 'g'), ' <[-0-9]+> ', ' & ', 'g'
  )::tsquery as any_order,
  case when cardinality($2::int8[]) <= 32
    then (select string_agg('''' || chr(1) || r.no || '''', '|') from unnest($2::int8[]) as r(no))::tsquery end as rooms
  from (select websearch_to_tsquery('simple', $1) as words) a
), hits as not materialized (
  select h.position, h.room_no, h.kind, q.words, q.has_phrase
  from q join event_search h on event_words(h.position, h.room_no, h.kind) @@ coalesce(q.any_order && q.rooms, q.any_order)
  where h.room_no in (select unnest($2::int8[])) and h.kind = any($3::int2[]) and h.position + 0 <= $4 and numnode(q.words) > 0
)`;

// Hits that are looked at by themselves, for their rank or for a phrase. `+ 0` keeps the key out of it here and above: it would be
// read whole, or from the newest event on with a look at each.
const NEWEST = `(select * from hits order by position + 0 desc limit 1000)`;

const BY_RANK = `
${HITS}, found as (
  select h.*, ts_rank_cd(d.document, h.words) as rank
  from ${NEWEST} h
  cross join lateral (select event_words(h.position, h.room_no, h.kind) as document offset 0) d
  where not h.has_phrase or d.document @@ h.words
)
select e.event_no, f.room_no, f.position, f.rank
from (select * from found order by rank desc, position desc offset $5 limit $6) f join events e on e.position = f.position
order by f.rank desc, f.position desc`;

/** Events that hold the words, the best first. */
export function selectHitsByRank(
  db: Queryable,
  query: SearchQuery,
  page: { offset: number; limit: number },
): Promise<SearchHit[]> {
  const values = [query.term, query.roomNos, query.kinds, query.upTo, page.offset, page.limit];
  return db.query({ name: 'event_search_select_by_rank', text: BY_RANK, values });
}

// Ranks are worked out for what is given only.
const RECENT = `
${HITS}
select e.event_no, f.room_no, f.position, ts_rank_cd(event_words(f.position, f.room_no, f.kind), f.words) as rank
from (
  select h.* from ${NEWEST} h where not h.has_phrase or event_words(h.position, h.room_no, h.kind) @@ h.words
  order by h.position desc limit $5
) f
join events e on e.position = f.position
order by f.position desc`;

/** Events that hold the words, the newest first. */
export function selectRecentHits(db: Queryable, query: SearchQuery, limit: number): Promise<SearchHit[]> {
  const values = [query.term, query.roomNos, query.kinds, query.upTo, limit];
  return db.query({ name: 'event_search_select_recent', text: RECENT, values });
}

const SUMMARY = `
${HITS}
select tsvector_to_array(to_tsvector('simple', $1)) as words, case when (select has_phrase from q)
  then (select count(*)::int4 from ${NEWEST} h where event_words(h.position, h.room_no, h.kind) @@ h.words)
  else (select count(*)::int4 from (select from hits limit 10000) h) end as count`;

/** The words that are looked for, and how many events hold them, counted up to ten thousand (phrases: one thousand). */
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

import { isJsonObject, type JsonObject } from '../room/json-value.ts';
import { propertyAt } from '../room/property-path.ts';
import type { PushVerdict } from '../room/push-evaluator.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import { EVENT_FLAGS } from '../storage/batch-arrays.ts';
import { selectEventsByNo, type TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { LoadedPushRules } from './loaded-push-rules.ts';
import { NO_FACTS, readPushFacts, type PushFacts } from './push-facts.ts';
import type { Session } from './session.ts';
import type { PushCandidate, PushRoom } from './push-candidate.ts';
import { findNaming } from './text-mentions.ts';

/** Events whose JSON is in memory at once: 200 of the usual size are 200 kB, of the largest 13 MB. */
const LOOKED_INTO_AT_ONCE = 200;

/** Kinds of events of which a user's rules keep what they said: about those who write most in the rooms that are busiest. */
const JUDGED_KINDS = 16;

const MENTIONS_ROOM = ['content', 'm.mentions', 'room'];

/** Events to judge. */
export interface PushQuestion {
  readonly events: readonly PushCandidate[];
  /** Events that have been read anyway. */
  readonly atHand: readonly TimelineRow[];
}

/**
 * What the rules say of events, by their numbers; those that no rule matches are missing. Events of the rules' owner, of ignored users and
 * redacted ones are not to be asked about. Only events about which type, sender and room do not decide are read from the database.
 */
export async function judgeEvents(
  session: Session,
  rules: LoadedPushRules,
  { events, atHand }: PushQuestion,
): Promise<Map<number, PushVerdict>> {
  const verdicts = new Map<number, PushVerdict>();
  const isKnown = (event: PushCandidate) => isJudgedByKind(event, rules);
  const rows = events.every(isKnown) ? NO_ROWS : new Map(atHand.map((row) => [row.event_no, row]));
  const texts = events.filter((event) => isJudgedByTexts(event, rules));
  const naming = await findNaming(session, texts, rows);
  const unseen: PushCandidate[] = [];
  const judgePlain = plainJudge(rules);
  for (const event of events) {
    if (naming.has(event.eventNo) || needsLook(event, rules)) unseen.push(event);
    else set(verdicts, event.eventNo, judgePlain(event));
  }
  for (let at = 0; at < unseen.length; at += LOOKED_INTO_AT_ONCE) {
    const some = unseen.slice(at, at + LOOKED_INTO_AT_ONCE);
    await judgeUnseen(session, rules, { events: some, rows, verdicts });
  }
  return verdicts;
}

const NO_ROWS: ReadonlyMap<number, TimelineRow> = new Map();

/** Whether type, sender and flags decide what the rules say of an event in its room. */
export function isJudgedByKind(event: Pick<PushCandidate, 'type' | 'flags'>, rules: LoadedPushRules): boolean {
  return !needsLook(event, rules) && !isJudgedByTexts(event, rules);
}

/** Whether names in its text decide. */
export function isJudgedByTexts(event: Pick<PushCandidate, 'type' | 'flags'>, rules: LoadedPushRules): boolean {
  return rules.compiled.readsTexts && isUnmarkedText(event) && !needsLook(event, rules);
}

function isUnmarkedText({ flags }: Pick<PushCandidate, 'flags'>): boolean {
  return (flags & EVENT_FLAGS.unmarkedText) !== 0;
}

/** Beside texts that name somebody. */
function needsLook(event: Pick<PushCandidate, 'type' | 'flags'>, { compiled }: LoadedPushRules): boolean {
  if (compiled.needs.content || compiled.needs.power || (event.flags & EVENT_FLAGS.plain) === 0) return true;
  return isNoise(event) && !compiled.suppressesNoise;
}

/** A notice or an edit. */
function isNoise({ type, flags }: Pick<PushCandidate, 'type' | 'flags'>): boolean {
  return (flags & EVENT_FLAGS.countable) === 0 && (type === 'm.room.message' || type === 'm.room.encrypted');
}

/** Judges by type, sender and room, each combination once. */
function plainJudge({ compiled, judged }: LoadedPushRules) {
  return (candidate: PushCandidate): PushVerdict | undefined => {
    const { room, type, sender } = candidate;
    const isSuppressed = isNoise(candidate);
    const key = `${room.roomId} ${room.joined} ${sender} ${isSuppressed ? 'noise' : ''} ${type}`;
    if (judged.has(key)) return judged.get(key);
    // A notice and an edit are judged alike: rules of the user's own that would tell them apart look into every event.
    const content: JsonObject = isSuppressed ? { msgtype: 'm.notice' } : {};
    const event = { type, sender, room_id: room.roomId, content };
    const verdict = compiled.judge({ event, context: { ...NO_FACTS, memberCount: room.joined } });
    keep(judged, key, verdict);
    return verdict;
  };
}

function keep(judged: LoadedPushRules['judged'], key: string, verdict: PushVerdict | undefined): void {
  const [oldest] = judged.keys();
  if (judged.size >= JUDGED_KINDS && oldest !== undefined) judged.delete(oldest);
  judged.set(key, verdict);
}

interface Unseen {
  readonly events: readonly PushCandidate[];
  readonly rows: ReadonlyMap<number, TimelineRow>;
  readonly verdicts: Map<number, PushVerdict>;
}

async function judgeUnseen(session: Session, rules: LoadedPushRules, unseen: Unseen): Promise<void> {
  const seen = await lookInto(session, unseen);
  const { needs, readsTexts } = rules.compiled;
  const { displayName, power } = needs;
  const texts = readsTexts ? seen.filter(({ candidate }) => isUnmarkedText(candidate)) : [];
  const naming = await findNaming(
    session,
    texts.map(({ candidate }) => candidate),
    new Map(texts.map(({ row }) => [row.event_no, row])),
  );
  const named = ({ row }: Seen) => (power ? undefined : naming.get(row.event_no));
  const isAsking = (one: Seen) =>
    named(one) === undefined &&
    (displayName || power || naming.has(one.row.event_no) || propertyAt(one.event, MENTIONS_ROOM) === true);
  const wanted = new Map(seen.filter(isAsking).map(({ row, candidate }) => [row.state_before, candidate.room.rules]));
  const facts = await readPushFacts(
    session,
    [...wanted].map(([snapshot, version]) => ({ snapshot, rules: version })),
  );
  for (const one of seen) {
    const { row, event, candidate } = one;
    const known: PushFacts = named(one) ?? facts.get(row.state_before) ?? NO_FACTS;
    const context = { ...known, memberCount: candidate.room.joined };
    set(unseen.verdicts, row.event_no, rules.compiled.judge({ event, context }));
  }
}

interface Seen {
  readonly row: TimelineRow;
  readonly event: JsonObject;
  readonly candidate: PushCandidate;
}

async function lookInto(session: Session, { events, rows }: Unseen): Promise<Seen[]> {
  const missing = events.map(({ eventNo }) => eventNo).filter((eventNo) => !rows.has(eventNo));
  const read = missing.length === 0 ? [] : await selectEventsByNo(session.db, missing);
  const more = new Map(read.map((row) => [row.event_no, row]));
  return events.flatMap((candidate) => {
    const row = rows.get(candidate.eventNo) ?? more.get(candidate.eventNo);
    const event = row === undefined ? undefined : subjectOf(row, candidate.room);
    return row === undefined || event === undefined ? [] : [{ row, event, candidate }];
  });
}

/** The event as conditions see it. */
function subjectOf(row: TimelineRow, room: PushRoom): JsonObject | undefined {
  const parsed = parseLooseJson(row.json);
  if (!parsed.ok || !isJsonObject(parsed.value)) return undefined;
  return { ...parsed.value, room_id: room.roomId, event_id: row.event_id };
}

function set(verdicts: Map<number, PushVerdict>, eventNo: number, verdict: PushVerdict | undefined): void {
  if (verdict !== undefined) verdicts.set(eventNo, verdict);
}

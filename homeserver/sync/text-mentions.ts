import { compileWords } from '../room/glob.ts';
import { localpartIn, ROOM_WORD } from '../room/push-rules.ts';
import { selectEventTextsByNo, type TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { EventKind } from './countable-events.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import type { PushCandidate, PushRoom } from './push-candidate.ts';
import { NO_FACTS, type PushFacts } from './push-facts.ts';
import type { Session } from './session.ts';
import { flat } from './shared-row.ts';

/** Events that are looked for in the database at once: 200 of the usual size are 200 kB, of the largest 13 MB. */
const READ_AT_ONCE = 200;

/** Events that the caller has at hand, by their numbers. */
export type RowsAtHand = ReadonlyMap<number, Pick<TimelineRow, 'json'>>;

/** Texts that the rules have to look at, by number: with what they want to know beside the text, or undefined if that is more than a name. */
export type Naming = ReadonlyMap<number, PushFacts | undefined>;

/**
 * Those of the texts that name the reader or the whole room, and those from before the reader's newest membership event, when they may
 * have had another name: no rule finds a mention in any other. Without a query as long as texts and names are at hand or remembered.
 */
export async function findNaming(
  session: Session,
  texts: readonly PushCandidate[],
  atHand: RowsAtHand,
): Promise<Naming> {
  const naming = new Map<number, PushFacts | undefined>();
  const newer = texts.filter(({ eventNo, anchor, room }) => {
    if (anchor < room.ownMember.position) naming.set(eventNo, undefined);
    return anchor >= room.ownMember.position;
  });
  if (newer.length === 0) return naming;
  const names = await readNames(session, newer);
  for (let at = 0; at < newer.length; at += READ_AT_ONCE) {
    const some = newer.slice(at, at + READ_AT_ONCE);
    const eventNos = some.map(({ eventNo }) => eventNo);
    const bodies = await readTexts(session, eventNos, { member: 'body', atHand, keep: true });
    for (const { eventNo, room } of some) {
      const body = bodies.get(eventNo) ?? '';
      const name = names.get(room.ownMember.eventNo);
      if (isRoomIn(body)) naming.set(eventNo, undefined);
      else if (name?.isIn(body) === true) naming.set(eventNo, name.facts);
    }
  }
  return naming;
}

const isRoomIn = compileWords(ROOM_WORD);

/** What the reader is called in a room. */
interface ReaderName {
  isIn(text: string): boolean;
  readonly facts: PushFacts;
}

/** By the number of the reader's membership event. */
async function readNames(
  session: Session,
  texts: readonly { room: PushRoom }[],
): Promise<ReadonlyMap<number, ReaderName>> {
  const isUserIn = compileWords(localpartIn(session.reader.userId));
  const members = [...new Set(texts.map(({ room }) => room.ownMember.eventNo))];
  const names = await readTexts(session, members, { member: 'displayname', atHand: NONE, keep: true });
  const nameOf = (displayName = ''): ReaderName => {
    const facts = { ...NO_FACTS, displayName };
    if (displayName === '') return { isIn: isUserIn, facts };
    const isNameIn = compileWords(displayName);
    return { isIn: (text) => isUserIn(text) || isNameIn(text), facts };
  };
  return new Map(members.map((eventNo) => [eventNo, nameOf(names.get(eventNo))]));
}

const NONE: RowsAtHand = new Map();

interface Wanted {
  readonly member: 'body' | 'displayname';
  readonly atHand: RowsAtHand;
  /** What comes from the database is remembered. */
  readonly keep: boolean;
}

/** A text out of the content of each event, `` where there is none. */
async function readTexts(
  { ctx, db }: Session,
  eventNos: readonly number[],
  { member, atHand, keep }: Wanted,
): Promise<Map<number, string>> {
  const { pushTexts } = ctx.sync;
  const { generation } = pushTexts;
  const found = new Map<number, string>();
  const missing: number[] = [];
  for (const eventNo of eventNos) {
    const row = atHand.get(eventNo);
    const text = row === undefined ? pushTexts.get(`${member}/${eventNo}`) : textIn(row.json, member);
    if (text === undefined) missing.push(eventNo);
    else found.set(eventNo, text);
  }
  for (const { event_no: eventNo, json } of missing.length === 0 ? [] : await selectEventTextsByNo(db, missing)) {
    const text = textIn(json, member);
    found.set(eventNo, text);
    if (keep) pushTexts.set(`${member}/${eventNo}`, { value: flat(text), bytes: 2 * text.length }, generation);
  }
  return found;
}

function textIn(json: string, member: string): string {
  return jsonString(jsonMembers(jsonMembers(json).get('content') ?? '{}').get(member)) ?? '';
}

/** Texts of one kind: those from `first` on are unread. */
export interface TextsOfKind {
  readonly room: PushRoom;
  readonly kind: EventKind;
  readonly first: number;
}

/** Fewer are looked at one by one. */
const WORTH_JOINING = 8;
/** Characters of one kind, and of all of an answer, about twice as many bytes: longer texts are looked at one by one. */
const MAX_JOINED = 100_000;
const MAX_JOINED_AT_ONCE = 2_000_000;

/**
 * Kinds of texts none of which names the reader or the whole room: what the rules say of one they say of all. The texts of a kind are
 * put together once for all readers, so that a reader with a thousand unread ones looks through one text for each who wrote.
 */
export async function findQuietKinds(session: Session, kinds: readonly TextsOfKind[]): Promise<Set<EventKind>> {
  const many = kinds.filter(
    ({ kind, first, room }) =>
      kind.anchors.length - first >= WORTH_JOINING && (kind.anchors[first] ?? 0) >= room.ownMember.position,
  );
  if (many.length === 0) return new Set();
  const names = await readNames(session, many);
  const joined = await readJoined(
    session,
    many.map(({ kind }) => kind),
  );
  const isQuiet = ({ kind, room }: TextsOfKind) => {
    const text = joined.get(keyOf(kind));
    return text !== undefined && !isRoomIn(text) && names.get(room.ownMember.eventNo)?.isIn(text) === false;
  };
  return new Set(many.filter(isQuiet).map(({ kind }) => kind));
}

/** The texts of each kind, by its key, with a line break between them, which is no part of a word; kinds with too much text are missing. */
async function readJoined(session: Session, kinds: readonly EventKind[]): Promise<Map<string, string>> {
  const { pushTexts } = session.ctx.sync;
  const { generation } = pushTexts;
  const joined = new Map<string, string>();
  const missing = new Map<string, EventKind>();
  for (const kind of kinds) {
    const key = keyOf(kind);
    const known = pushTexts.get(key);
    if (known === undefined) missing.set(key, kind);
    else joined.set(key, known);
  }
  const read = await pushTexts.readOnce([...missing.keys()], async (keys) => {
    const texts = await readParts(session, new Map([...missing].filter(([key]) => keys.has(key))));
    for (const [key, text] of texts) pushTexts.set(key, { value: text, bytes: 2 * text.length }, generation);
    return texts;
  });
  return new Map([...joined, ...read]);
}

/** The first and the last say which events are between them: only redactions take some away. */
function keyOf({ eventNos }: EventKind): string {
  return `kind/${eventNos[0] ?? 0}/${eventNos.at(-1) ?? 0}`;
}

async function readParts(session: Session, kinds: ReadonlyMap<string, EventKind>): Promise<Map<string, string>> {
  const wanted = [...kinds].flatMap(([key, { eventNos }]) => eventNos.map((eventNo) => ({ key, eventNo })));
  const parts = new Map([...kinds.keys()].map((key) => [key, { texts: [] as string[], length: 0 }]));
  let total = 0;
  for (let at = 0; at < wanted.length && total < MAX_JOINED_AT_ONCE; at += READ_AT_ONCE) {
    const some = wanted.slice(at, at + READ_AT_ONCE);
    const eventNos = some.map(({ eventNo }) => eventNo);
    const bodies = await readTexts(session, eventNos, { member: 'body', atHand: NONE, keep: false });
    for (const { key, eventNo } of some) {
      const part = parts.get(key);
      const body = bodies.get(eventNo) ?? '';
      total += body.length;
      if (part === undefined || (part.length += body.length) > MAX_JOINED) parts.delete(key);
      else part.texts.push(body);
    }
  }
  const whole = [...parts].filter(([key, { texts }]) => texts.length === kinds.get(key)?.eventNos.length);
  return new Map(whole.map(([key, { texts }]) => [key, texts.join('\n')]));
}

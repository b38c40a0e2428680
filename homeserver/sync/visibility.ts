import { historyVisibilityOf, mayReadAt, mayReadChange } from '../room/history-visibility.ts';
import type { ReaderView } from '../room/history-visibility.ts';
import { selectMembersAt, selectStateKeysAt } from '../storage/sync-reads/select-state.ts';
import type { StateEntryRow } from '../storage/sync-reads/select-state.ts';
import { selectEventsByNo } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { eventContentJson } from './client-event.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import { membershipOf } from './membership.ts';
import type { Session } from './session.ts';
import { isShared } from './shared-row.ts';
import { joinedSince } from './standing.ts';
import type { Standing } from './standing.ts';
import { storedEvent } from './stored-event.ts';

export type Standings = ReadonlyMap<number, Standing>;

/** What the cache holds where there is no event. */
const NONE = '';

/**
 * The rows that the reader may see, in their order. The state that decides is looked up for all rows together, and not at
 * all where the snapshots are known (messages in a room whose state does not change).
 * Spec: client-server API, "Room History Visibility" (v1.19).
 */
export async function filterVisible(
  session: Session,
  rows: readonly TimelineRow[],
  standings: Standings,
): Promise<TimelineRow[]> {
  await loadViews(session, rows, standings);
  return rows.filter((row) => {
    const standing = standings.get(row.room_no);
    return standing !== undefined && isVisible(session, row, standing);
  });
}

/**
 * The same for rows of which only the content is given: who is joined now needs to have been nothing in particular where the past is
 * open to all members.
 */
export async function filterReadable(
  session: Session,
  rows: readonly TimelineRow[],
  standings: Standings,
): Promise<TimelineRow[]> {
  const isOpen = (row: TimelineRow) => isReadableByAll(session, row, standings.get(row.room_no));
  const unclear = rows.filter((row) => !isOpen(row));
  if (unclear.length === 0) return [...rows];
  const visible = new Set(await filterVisible(session, unclear, standings));
  return rows.filter((row) => visible.has(row) || isOpen(row));
}

/** Whether the visibility before the event, as far as it is in memory, opens it whatever the reader was then. */
function isReadableByAll(session: Session, row: TimelineRow, standing: Standing | undefined): boolean {
  const setting = session.ctx.sync.visibilityAt.get(String(row.state_before));
  if (setting === undefined || standing === undefined) return false;
  const visibility = historyVisibilityOf({ history_visibility: setting });
  return mayReadAt({ visibility, membership: undefined }, joinedSince(standing, row));
}

/** The reader's membership in the state after an event that has passed `filterVisible`; `leave` before they were in the room. */
export function membershipAfter(session: Session, row: TimelineRow): string {
  return session.views.get(row.state_after)?.membership ?? 'leave';
}

/** Memberships out of which every way leads where the user has to be told of it. */
const TAKING_PART: ReadonlySet<string | undefined> = new Set(['join', 'invite', 'knock']);

function isVisible(session: Session, row: TimelineRow, standing: Standing): boolean {
  const since = joinedSince(standing, row);
  const before = viewAt(session, row.state_before);
  if (row.state_before === row.state_after) return mayReadAt(before, since);
  const { visibilityKey, ownMemberKey } = session.numbers;
  // The rules would hide from a user that their invite was taken back or that their knock was refused.
  if (row.state_key_no === ownMemberKey && TAKING_PART.has(before.membership)) return true;
  if (row.state_key_no === visibilityKey || row.state_key_no === ownMemberKey) {
    return mayReadChange(before, viewAt(session, row.state_after), since);
  }
  return mayReadAt(before, since);
}

function viewAt(session: Session, snapshot: number): ReaderView {
  const view = session.views.get(snapshot);
  if (view === undefined) throw new Error(`the state of snapshot ${snapshot} has not been loaded`);
  return view;
}

/** Makes sure that the session knows what the snapshots around these rows say. */
async function loadViews(session: Session, rows: readonly TimelineRow[], standings: Standings): Promise<void> {
  const snapshots = new Set<number>();
  for (const row of rows) snapshots.add(row.state_before).add(row.state_after);
  const wanted = [...snapshots].filter((snapshot) => !session.views.has(snapshot));
  if (wanted.length === 0) return;
  const followed = followBack(session, rows, standings);
  const unclear = wanted.filter((snapshot) => followed.get(snapshot) !== 'join');
  for (const snapshot of wanted) if (followed.get(snapshot) === 'join') session.views.set(snapshot, JOINED);
  if (unclear.length > 0) await loadUnclear(session, unclear, { followed, standings });
}

/** What was visible to members when the reader was one is visible to the reader, whatever it was. */
const JOINED: ReaderView = { visibility: 'joined', membership: 'join' };

interface Followed {
  /** Memberships that are known. */
  readonly followed: ReadonlyMap<number, string>;
  readonly standings: Standings;
}

async function loadUnclear(
  session: Session,
  wanted: readonly number[],
  { followed, standings }: Followed,
): Promise<void> {
  const { visibilityAt, membershipAt } = session.ctx.sync;
  const visibility = cached(wanted, (snapshot) => visibilityAt.get(String(snapshot)));
  const membership = cached(
    wanted,
    (snapshot) => followed.get(snapshot) ?? membershipAt.get(memberKey(session, snapshot)),
  );
  const isKnown = (snapshot: number) =>
    visibility.get(snapshot) !== undefined && membership.get(snapshot) !== undefined;
  const unknown = wanted.filter((snapshot) => !isKnown(snapshot));
  await loadMissing(session, { visibility, membership }, standings);
  for (const snapshot of wanted) {
    const setting = visibility.get(snapshot) ?? NONE;
    const member = membership.get(snapshot) ?? NONE;
    const view = {
      visibility: historyVisibilityOf({ history_visibility: setting }),
      membership: member === NONE ? undefined : member,
    };
    session.views.set(snapshot, view);
  }
  for (const snapshot of unknown) {
    visibilityAt.set(String(snapshot), visibility.get(snapshot) ?? NONE);
    membershipAt.set(memberKey(session, snapshot), membership.get(snapshot) ?? NONE);
  }
}

/**
 * The reader's membership at snapshots, followed from the present one through events that come newest first: only an event about the
 * reader makes another of it, and such an event knows what it replaced if its row is shared.
 */
function followBack(session: Session, rows: readonly TimelineRow[], standings: Standings): Map<number, string> {
  const known = new Map<number, string>();
  for (const { joinedAt } of standings.values()) if (joinedAt !== undefined) known.set(joinedAt, 'join');
  if (known.size === 0) return known;
  for (const row of rows) {
    const after = known.get(row.state_after);
    const before = after === undefined ? undefined : membershipBefore(session, row, after);
    if (before !== undefined && row.state_before !== row.state_after) known.set(row.state_before, before);
  }
  return known;
}

/** Undefined: the row does not tell. */
function membershipBefore({ numbers }: Session, row: TimelineRow, after: string): string | undefined {
  if (row.state_key_no !== numbers.ownMemberKey) return after;
  if (!isShared(row)) return undefined;
  return row.replaced === undefined ? NONE : membershipOf(row.replaced.json);
}

type Known = Map<number, string | undefined>;

function cached(snapshots: readonly number[], get: (snapshot: number) => string | undefined): Known {
  return new Map(snapshots.map((snapshot) => [snapshot, get(snapshot)]));
}

/** Looks up what the caches did not have, for all snapshots together. */
async function loadMissing(
  session: Session,
  known: { visibility: Known; membership: Known },
  standings: Standings,
): Promise<void> {
  const [keys, members] = await Promise.all([
    entriesAt(known.visibility, session.numbers.visibilityKey, (wants) => selectStateKeysAt(session.db, wants)),
    entriesAt(known.membership, session.reader.userNo, (wants) => selectMembersAt(session.db, wants)),
  ]);
  const eventNos = [...keys, ...members].map((entry) => entry.event_no);
  if (eventNos.length === 0) return;
  const events = new Map((await selectEventsByNo(session.db, eventNos)).map((row) => [row.event_no, row]));
  for (const { snapshot, event_no } of keys)
    known.visibility.set(snapshot, visibilityText(events.get(event_no), standings));
  for (const { snapshot, event_no } of members)
    known.membership.set(snapshot, membershipOf(events.get(event_no)?.json ?? '{}'));
}

function entriesAt(
  known: Known,
  key: number,
  select: (wants: { snapshots: number[]; keys: number[] }) => Promise<StateEntryRow[]>,
): Promise<StateEntryRow[]> {
  const snapshots = [...known].filter(([, value]) => value === undefined).map(([snapshot]) => snapshot);
  if (snapshots.length === 0) return Promise.resolve([]);
  return select({ snapshots, keys: snapshots.map(() => key) });
}

/** The text of `history_visibility`, empty without one; a redaction takes it away unless the room version keeps it. */
function visibilityText(row: TimelineRow | undefined, standings: Standings): string {
  const standing = row === undefined ? undefined : standings.get(row.room_no);
  if (row === undefined || standing === undefined) return '';
  return jsonString(jsonMembers(eventContentJson(storedEvent(row, standing))).get('history_visibility')) ?? '';
}

function memberKey(session: Session, snapshot: number): string {
  return `${snapshot}/${session.reader.userNo}`;
}

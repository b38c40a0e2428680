import type { TimelineRow } from '../../storage/sync-reads/select-timeline.ts';
import { readInParts } from '../read-events.ts';
import type { Session } from '../session.ts';
import { sharedRow } from '../shared-row.ts';
import { loadStates } from '../state-maps.ts';
import type { GivenState } from '../sync-state.ts';
import type { Standings } from '../visibility.ts';
import { WholeState } from '../whole-state.ts';

/** The whole state of a room at a snapshot. */
export interface WantedState {
  readonly roomNo: number;
  /** Position of the room's newest event: a redaction since then would change what events say. */
  readonly lastPosition: number;
  readonly snapshot: number;
  readonly members: boolean;
  /** About how many events it has. */
  readonly size: number;
}

/** Events whose rows are in memory at once: of larger accounts only the texts add up. */
export const EVENTS_AT_ONCE = 10_000;

/** What is made of the states, in no order, which are in memory where somebody has read them since the room's newest event. */
export async function readWholeStates<T>(
  session: Session,
  wanted: readonly WantedState[],
  standings: Standings,
  give: (state: GivenState) => T,
): Promise<T[]> {
  const { states } = session.ctx.sync;
  const given: T[] = [];
  const missing = new Map<string, WantedState>();
  for (const want of wanted) {
    const known = states.get(keyOf(want));
    if (known === undefined) missing.set(keyOf(want), want);
    else given.push(give(known));
  }
  for (const part of inParts([...missing])) {
    const read = await states.readOnce(
      part.map(([key]) => key),
      (keys) => {
        const wants = part.filter(([key]) => keys.has(key)).map(([, want]) => want);
        return readAndKeep(session, wants, standings);
      },
    );
    for (const state of read.values()) given.push(give(state));
  }
  return given;
}

/** As many together as may be in memory at once, at least one. */
function inParts(missing: readonly [key: string, want: WantedState][]): [string, WantedState][][] {
  const parts: [string, WantedState][][] = [];
  let events = EVENTS_AT_ONCE;
  for (const entry of missing) {
    events += entry[1].size;
    const part = parts.at(-1);
    if (part !== undefined && events <= EVENTS_AT_ONCE) {
      part.push(entry);
      continue;
    }
    parts.push([entry]);
    events = entry[1].size;
  }
  return parts;
}

async function readAndKeep(
  session: Session,
  wanted: readonly WantedState[],
  standings: Standings,
): Promise<Map<string, GivenState>> {
  const { states } = session.ctx.sync;
  const { generation } = states;
  const found = new Map<string, GivenState>();
  for (const [want, rows] of await readMissing(session, wanted)) {
    const room = standings.get(want.roomNo);
    if (room === undefined) continue;
    const state = new WholeState(
      rows.map((row) => sharedRow(row, room, undefined)),
      room,
    );
    states.set(keyOf(want), { value: state, bytes: state.bytes }, generation);
    found.set(keyOf(want), state);
  }
  return found;
}

function keyOf({ roomNo, lastPosition, snapshot, members }: WantedState): string {
  return `${roomNo}/${lastPosition}/${snapshot}${members ? '/m' : ''}`;
}

async function readMissing(
  session: Session,
  missing: readonly WantedState[],
): Promise<Map<WantedState, TimelineRow[]>> {
  const ofKind = (members: boolean) =>
    loadStates(
      session,
      missing.filter((want) => want.members === members).map((want) => want.snapshot),
      members,
    );
  const [withMembers, without] = await Promise.all([ofKind(true), ofKind(false)]);
  const numbers = new Map(
    missing.map((want) => {
      const state = (want.members ? withMembers : without).get(want.snapshot);
      return [want, [...(state?.keys.values() ?? []), ...(state?.members.values() ?? [])]];
    }),
  );
  const eventNos = [...new Set([...numbers.values()].flat())];
  const rows = await readInParts(session, eventNos);
  const byNo = new Map(rows.map((row) => [row.event_no, row]));
  return new Map(
    [...numbers].map(([want, nos]) => {
      const events = nos.flatMap((eventNo) => byNo.get(eventNo) ?? []);
      return [want, events.toSorted((a, b) => a.position - b.position)];
    }),
  );
}

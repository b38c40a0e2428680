import { selectEventsByNo } from '../../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../../storage/sync-reads/select-timeline.ts';
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
}

/** The states, in no order, from memory where somebody has read it since the room's newest event. */
export async function readWholeStates(
  session: Session,
  wanted: readonly WantedState[],
  standings: Standings,
): Promise<GivenState[]> {
  const { states } = session.ctx.sync;
  const found: GivenState[] = [];
  const missing = new Map<string, WantedState>();
  for (const want of wanted) {
    const known = states.get(keyOf(want));
    if (known === undefined) missing.set(keyOf(want), want);
    else found.push(known);
  }
  const read = await states.readOnce([...missing.keys()], (keys) => {
    const wants = [...missing].filter(([key]) => keys.has(key)).map(([, want]) => want);
    return readAndKeep(session, wants, standings);
  });
  return [...found, ...read.values()];
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
  const rows = eventNos.length === 0 ? [] : await selectEventsByNo(session.db, eventNos);
  const byNo = new Map(rows.map((row) => [row.event_no, row]));
  return new Map(
    [...numbers].map(([want, nos]) => {
      const events = nos.flatMap((eventNo) => byNo.get(eventNo) ?? []);
      return [want, events.toSorted((a, b) => a.position - b.position)];
    }),
  );
}

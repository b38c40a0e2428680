import type { SnapshotChain } from '../storage/snapshot-delta.ts';
import type { LoadedState, RoomHead } from './room-head.ts';

/** About how much memory a head takes, and of what it was when that was added up. */
export interface HeadWeight {
  readonly entries: number;
  readonly bytes: number;
  readonly of: Pick<RoomHead, 'state' | 'snapshot' | 'chain'> | undefined;
}

export const NO_WEIGHT: HeadWeight = { entries: 0, bytes: 0, of: undefined };

const HEAD_BYTES = 1000;
/** An event that was parsed, beside twice its text. */
const EVENT_BYTES = 1000;
const ABSENT_BYTES = 100;
const LINK_BYTES = 300;
/** A key and an event number. */
const PAIR_BYTES = 16;

/** Weighs a head, or gives back the weight from before while the head is made of the same: it usually is, messages change no state. */
export function weighHead(head: RoomHead | undefined, before: HeadWeight): HeadWeight {
  if (head === undefined) return NO_WEIGHT;
  const { state, snapshot, chain } = head;
  const { of } = before;
  const isSame = of?.state === state && of.snapshot === snapshot && of.chain === chain && state.size === before.entries;
  if (isSame) return before;
  const bytes = HEAD_BYTES + stateBytes(state) + chainBytes(chain ?? []);
  return { entries: state.size, bytes, of: { state, snapshot, chain } };
}

function stateBytes(state: LoadedState): number {
  let bytes = 0;
  for (const entry of state.values()) bytes += entry === null ? ABSENT_BYTES : EVENT_BYTES + 2 * entry.length;
  return bytes;
}

function chainBytes(chain: SnapshotChain): number {
  return chain.reduce((sum, link) => sum + LINK_BYTES + PAIR_BYTES * (link.keys.length + link.members.length), 0);
}

import { authStateOf, type AuthState } from '../room/auth/auth-state.ts';
import { parseEventId } from '../room/identifiers.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import { selectKnownEventsByNo } from '../storage/room-reads/select-events-by-id.ts';
import { selectSnapshotChain } from '../storage/room-reads/select-snapshot-chain.ts';
import { entryOf } from '../storage/snapshot-delta.ts';
import type { Store } from '../storage/store.ts';
import { readStored } from './resolution-task.ts';
import { stateNumbers } from './numbered-state.ts';
import type { StateName } from './room-writer.ts';

/** The named entries of the state that a snapshot stands for, and nothing else of it. */
export async function stateAt(
  store: Store,
  rules: RoomVersionRules,
  at: { snapshot: number; names: readonly StateName[] },
): Promise<AuthState> {
  const chain = await selectSnapshotChain(store.db, at.snapshot);
  const numbers = await stateNumbers(store.names, at.names);
  const eventNos = numbers.flatMap((no) => entryOf(chain, no < 0 ? 'member' : 'key', Math.abs(no)) ?? []);
  const rows = await selectKnownEventsByNo(store.db, eventNos);
  return authStateOf(
    rows.flatMap(({ event_id: text, json }) => {
      const eventId = parseEventId(text);
      return eventId === undefined ? [] : [readStored({ eventId, json }, rules)];
    }),
  );
}

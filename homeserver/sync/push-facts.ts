import { roomEventOf, type RoomEvent } from '../room/event-format.ts';
import { parseEventId } from '../room/identifiers.ts';
import { isJsonObject, ownString } from '../room/json-value.ts';
import { notificationLevel, powerLevelsOf, userPowerLevel } from '../room/power-levels.ts';
import type { PushContext } from '../room/push-conditions.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import { selectMembersAt, selectStateKeysAt } from '../storage/sync-reads/select-state.ts';
import { selectEventsByNo, type TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { Session } from './session.ts';

/** What push rules want to know of the state at an event. */
export type PushFacts = Omit<PushContext, 'memberCount'>;

/** Nobody may notify, and nobody has a name: for events of which no rule asks about either. */
export const NO_FACTS: PushFacts = { displayName: undefined, mayNotify: () => false };

/** The facts at each of these snapshots, in a fixed number of queries. */
export async function readPushFacts(
  session: Session,
  snapshots: readonly { readonly snapshot: number; readonly rules: RoomVersionRules }[],
): Promise<Map<number, PushFacts>> {
  if (snapshots.length === 0) return new Map();
  const { names } = session.ctx.store;
  const [powerKey, createKey] = await Promise.all([
    names.stateKeyNo('m.room.power_levels', ''),
    names.stateKeyNo('m.room.create', ''),
  ]);
  const wanted = snapshots.map(({ snapshot }) => snapshot);
  const both = {
    snapshots: [...wanted, ...wanted],
    keys: [...wanted.map(() => powerKey), ...wanted.map(() => createKey)],
  };
  const [keys, members] = await Promise.all([
    selectStateKeysAt(session.db, both),
    selectMembersAt(session.db, { snapshots: wanted, keys: wanted.map(() => session.reader.userNo) }),
  ]);
  const entries = [...keys, ...members];
  const rows = await selectEventsByNo(session.db, [...new Set(entries.map((entry) => entry.event_no))]);
  const byNo = new Map(rows.map((row) => [row.event_no, row]));
  const bySnapshot = Map.groupBy(entries, (entry) => entry.snapshot);
  return new Map(
    snapshots.map(({ snapshot, rules }) => {
      const found = (bySnapshot.get(snapshot) ?? []).flatMap((entry) => byNo.get(entry.event_no) ?? []);
      return [snapshot, factsOf(found, rules)];
    }),
  );
}

function factsOf(rows: readonly TimelineRow[], rules: RoomVersionRules): PushFacts {
  const events = new Map(rows.flatMap((row) => eventOf(row, rules)).map((event) => [event.type, event]));
  const levels = powerLevelsOf({ get: (type) => events.get(type) }, rules);
  return {
    displayName: ownString(events.get('m.room.member')?.content ?? {}, 'displayname'),
    mayNotify: (sender, key) => userPowerLevel(levels, sender) >= notificationLevel(levels, key),
  };
}

function eventOf(row: TimelineRow, rules: RoomVersionRules): RoomEvent[] {
  const parsed = parseLooseJson(row.json);
  const eventId = parseEventId(row.event_id);
  if (!parsed.ok || !isJsonObject(parsed.value) || eventId === undefined) return [];
  return [roomEventOf(parsed.value, eventId, rules)];
}

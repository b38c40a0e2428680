import { canonicalJson } from '../room/canonical-json.ts';
import { cutForm } from '../room/cut-form.ts';
import { eventIdOf, hasValidContentHash } from '../room/event-hash.ts';
import { isJsonObject, ownString, type JsonObject } from '../room/json-value.ts';
import { carriesEventId, ROOM_VERSIONS, type RoomVersionRules } from '../room/room-versions.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import type { Queryable } from '../storage/database.ts';
import { type SampledEvent, selectEventRange, selectEventsBetween } from '../storage/verify-reads/select-sample.ts';
import { Tally } from './verify-report.ts';

/** Events of one look. */
const STRETCH = 20;

export function eventTally(): Tally {
  return new Tally('ids and hashes are those of the stored events');
}

/**
 * Whether id and content hash of a sample of events, spread evenly over all, are those of what is stored. False: time ran out before
 * all of the sample was looked at.
 */
export async function checkEvents(
  db: Queryable,
  tally: Tally,
  { sample, hasTime }: { sample: number; hasTime: () => boolean },
): Promise<boolean> {
  const { first, last } = await selectEventRange(db);
  const looks = Math.ceil(sample / STRETCH);
  const step = Math.max(1, Math.ceil((last - first + 1) / looks));
  for (let from = first; from <= last && last > 0; from += step) {
    if (!hasTime()) return false;
    for (const event of await selectEventsBetween(db, { from, to: from + step - 1, limit: STRETCH })) {
      tally.checked += 1;
      if (!isSound(event)) tally.fault(event.event_id);
    }
  }
  return true;
}

function isSound({ event_id: eventId, json, version, cut }: SampledEvent): boolean {
  const rules = ROOM_VERSIONS.get(String(version));
  // A room of a version that this program does not know is not ours to judge.
  if (rules === undefined) return true;
  try {
    const parsed = parseLooseJson(json);
    if (!parsed.ok || !isJsonObject(parsed.value) || idIn(parsed.value, rules) !== eventId) return false;
    // The id leaves most of the content out. The content hash covers it, but for what was cut, which has nothing more than that leaves.
    const pdu = parsed.value;
    return cut ? canonicalJson(cutForm(pdu, rules)) === canonicalJson(pdu) : hasValidContentHash(pdu);
  } catch {
    return false;
  }
}

/** Events of the first room versions carry their ids; later ones are named by their hashes. */
function idIn(pdu: JsonObject, rules: RoomVersionRules): string | undefined {
  return carriesEventId(rules) ? ownString(pdu, 'event_id') : eventIdOf(pdu, rules);
}

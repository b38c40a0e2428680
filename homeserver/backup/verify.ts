import type { ConnectionSettings } from '../storage/connection.ts';
import { checkNotHalfRestored } from '../storage/copies/restore-marker.ts';
import { checkCatalogue, checkSchema } from '../storage/schema-check.ts';
import { selectSchemaState } from '../storage/tables/schema_state.ts';
import { MAX_FAULTS, REFERENCE_CHECKS, selectDangling } from '../storage/verify-reads/select-dangling.ts';
import { type SnapshotReader, withSnapshot } from '../storage/verify-reads/with-snapshot.ts';
import { checkEvents, eventTally } from './check-events.ts';
import { checkRooms, roomTallies } from './check-rooms.ts';
import { type CheckResult, Tally, type VerifyReport } from './verify-report.ts';

export interface VerifyOptions {
  connection: ConnectionSettings;
  serverName: string;
  /** Events whose hash is computed. */
  sample: number;
  timeLimitMs: number;
}

/**
 * Looks whether a database is whole, at one moment and changing nothing; it may be serving. Throws UnfitDatabase for one that this
 * program cannot serve.
 */
export function verify(options: VerifyOptions): Promise<VerifyReport> {
  const { connection, serverName, sample } = options;
  const begin = performance.now();
  return withSnapshot(connection, async (reader) => {
    await checkCatalogue(reader.db);
    await checkNotHalfRestored(reader.db);
    const state = await selectSchemaState(reader.db);
    checkSchema(state, serverName);
    const checks = await checkAll(reader, { sample, begin, timeLimitMs: options.timeLimitMs });
    return {
      whole: checks.every(({ problems, complete }) => problems === 0 && complete),
      serverName,
      schema: { version: state?.schema_version ?? 0, compatVersion: state?.compat_version ?? 0 },
      checks,
    };
  });
}

interface Limits {
  readonly sample: number;
  /** As `performance.now()` says. */
  readonly begin: number;
  readonly timeLimitMs: number;
}

/**
 * The rooms may take any time, so they come last, with half of it and what the others have left. The first half is shared out among the
 * others one after the other: none may use up what those behind it need.
 */
async function checkAll(reader: SnapshotReader, { sample, begin, timeLimitMs }: Limits): Promise<CheckResult[]> {
  const leftUntil = (part: number) => () => begin + timeLimitMs * part - performance.now();
  const [half, whole] = [leftUntil(0.5), leftUntil(1)];
  const references = await checkReferences(reader, half);
  const events = eventTally();
  const eventsDone = await looked(reader, half, (hasTime) => checkEvents(reader.db, events, { sample, hasTime }));
  const rooms = roomTallies();
  const roomsDone = await looked(reader, whole, (hasTime) => checkRooms(reader.db, rooms, hasTime));
  return [rooms.snapshots.result(roomsDone), rooms.state.result(roomsDone), events.result(eventsDone), ...references];
}

/** Whether a look that stops by itself came to its end in time; a statement that does not is cut off. */
async function looked(
  { within }: SnapshotReader,
  left: () => number,
  look: (hasTime: () => boolean) => Promise<boolean>,
): Promise<boolean> {
  return left() > 0 && (await within(left(), () => look(() => left() > 0))) === true;
}

async function checkReferences({ db, within }: SnapshotReader, left: () => number): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const [i, name] of REFERENCE_CHECKS.entries()) {
    // One share is for the look at the events.
    const share = left() / (REFERENCE_CHECKS.length - i + 1);
    const faults = share > 0 ? await within(share, () => selectDangling(db, name)) : undefined;
    const tally = new Tally(name);
    for (const fault of (faults ?? []).slice(0, MAX_FAULTS)) tally.fault(fault);
    results.push({ ...tally.result(faults !== undefined), checked: null });
  }
  return results;
}

import type { ConnectionSettings } from '../storage/connection.ts';
import { checkNotHalfRestored } from '../storage/copies/restore-marker.ts';
import { checkCatalogue, checkSchema } from '../storage/schema-check.ts';
import { selectSchemaState } from '../storage/tables/schema_state.ts';
import { MAX_FAULTS, REFERENCE_CHECKS, selectDangling } from '../storage/verify-reads/select-dangling.ts';
import { type SnapshotReader, withSnapshot } from '../storage/verify-reads/with-snapshot.ts';
import { checkEvents } from './check-events.ts';
import { checkRooms } from './check-rooms.ts';
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
  const deadline = performance.now() + options.timeLimitMs;
  const left = () => deadline - performance.now();
  return withSnapshot(connection, async (reader) => {
    await checkCatalogue(reader.db);
    await checkNotHalfRestored(reader.db);
    const state = await selectSchemaState(reader.db);
    checkSchema(state, serverName);
    const checks = [
      ...(await checkRooms(reader.db, () => left() > 0)),
      await checkEvents(reader.db, sample, () => left() > 0),
      ...(await checkReferences(reader, left)),
    ];
    return {
      whole: checks.every(({ problems, complete }) => problems === 0 && complete),
      serverName,
      schema: { version: state?.schema_version ?? 0, compatVersion: state?.compat_version ?? 0 },
      checks,
    };
  });
}

async function checkReferences({ db, within }: SnapshotReader, left: () => number): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const name of REFERENCE_CHECKS) {
    const faults = left() > 0 ? await within(left(), () => selectDangling(db, name)) : undefined;
    const tally = new Tally(name);
    for (const fault of (faults ?? []).slice(0, MAX_FAULTS)) tally.fault(fault);
    results.push({ ...tally.result(faults !== undefined), checked: null });
  }
  return results;
}

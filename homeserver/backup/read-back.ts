import type { ObjectStore } from '../object-store/object-store.ts';
import { backupNames } from './backup-names.ts';
import type { Manifest, Segment } from './manifest.ts';
import { shareOut } from './share-out.ts';
import { readSegment } from './table-streams.ts';

/** Objects that are read at once; each is at most 8 MiB. */
const READERS = 4;

/** Reads every object of a backup and compares its digest with the manifest. Throws BackupError, ObjectStoreError. */
export async function readBack(manifest: Manifest, store: ObjectStore): Promise<void> {
  const readers = Array.from(
    { length: READERS },
    () => (name: string, segment: Segment) => readSegment(store, name, segment),
  );
  await shareOut(objectsOf(manifest), readers, async (read, { name, segment }) => {
    await read(name, segment);
  });
}

function objectsOf({ serverName, backupId, tables, keys }: Manifest): { name: string; segment: Segment }[] {
  const names = backupNames(serverName);
  const segments = tables.flatMap((table) =>
    table.segments.map((segment, number) => ({ name: names.segment(backupId, table, number), segment })),
  );
  return keys === null ? segments : [...segments, { name: names.keys(backupId), segment: keys }];
}

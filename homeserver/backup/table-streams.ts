import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import type { ObjectStore } from '../object-store/object-store.ts';
import type { TableCopy } from '../storage/copies/snapshot.ts';
import { BackupError } from './backup-error.ts';
import { cut } from './cut.ts';
import type { Segment, TableEntry } from './manifest.ts';
import { seal, unseal } from './sealed-stream.ts';

/** Size of all but the last object of a table. A stream holds two of them in memory, whatever the size of the table. */
const SEGMENT_BYTES = 8_388_608;

/** Where a table's stream goes to or comes from. */
export interface StreamPlace {
  readonly store: ObjectStore;
  /** Name of the object with that number, from 0. */
  segmentName(number: number): string;
  /** Absent: not encrypted. */
  readonly key: Buffer | undefined;
}

/** Writes a table: COPY text, compressed, sealed, cut into objects. */
export async function writeTable(
  copy: TableCopy,
  place: StreamPlace,
): Promise<Pick<TableEntry, 'rows' | 'textBytes' | 'segments'>> {
  let textBytes = 0;
  const segments: Segment[] = [];
  await pipeline(
    copy.stream,
    async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        textBytes += chunk.length;
        yield chunk;
      }
    },
    createZstdCompress(),
    (source: AsyncIterable<Buffer>) => (place.key === undefined ? source : seal(source, place.key)),
    async (source: AsyncIterable<Buffer>) => {
      for await (const { bytes } of cut(source, SEGMENT_BYTES)) {
        await place.store.put(place.segmentName(segments.length), bytes);
        segments.push({ bytes: bytes.length, sha256: sha256Of(bytes) });
      }
    },
  );
  return { rows: copy.rows(), textBytes, segments };
}

/** The rows of a table as COPY text. Errors of the stream: BackupError, ObjectStoreError. */
export function readTable(entry: TableEntry, place: StreamPlace): Readable {
  const what = `table ${entry.schema}.${entry.name} of the backup`;
  const stored = readSegments(entry, place);
  const sealed = place.key === undefined ? stored : unseal(stored, place.key, what);
  const text = createZstdDecompress();
  // A failure of either end destroys the other; the reader of `text` sees it.
  pipeline(Readable.from(sealed, { objectMode: false }), text).catch((error: unknown) => {
    text.destroy(error instanceof Error ? error : undefined);
  });
  return text;
}

async function* readSegments({ segments }: TableEntry, place: StreamPlace): AsyncGenerator<Buffer> {
  for (const [number, segment] of segments.entries()) {
    yield await readSegment(place.store, place.segmentName(number), segment);
  }
}

/** Reads an object and compares it with the manifest before any of it is used. Throws BackupError, ObjectStoreError. */
export async function readSegment(store: ObjectStore, name: string, segment: Segment): Promise<Buffer> {
  const bytes = await store.get(name, Math.max(segment.bytes, SEGMENT_BYTES));
  if (bytes === undefined) throw new BackupError(`${name} is missing in ${store.place}: use another backup`);
  if (bytes.length !== segment.bytes || sha256Of(bytes) !== segment.sha256) {
    throw new BackupError(`${name} in ${store.place} is not what the manifest says: use another backup`);
  }
  return bytes;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

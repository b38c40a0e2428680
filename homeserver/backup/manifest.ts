import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { BackupError } from './backup-error.ts';

const name = z.string().min(1).max(63);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().nonnegative();

/** One object of a table: a part of its stream, in order. */
const Segment = z.object({ bytes: count, sha256 });

const TableEntry = z.object({
  schema: name,
  name,
  columns: z.array(name).min(1).max(1600),
  rows: count,
  /** Length of its rows as COPY text. */
  textBytes: count,
  segments: z.array(Segment),
});

/** All that a backup is: without one there is no backup, and nothing counts that it does not name. */
export const Manifest = z.object({
  format: z.literal(1),
  backupId: z.string().max(64),
  createdAt: z.iso.datetime(),
  serverName: z.string().max(255),
  /** The operator's mark on the database, where one made it. */
  claim: z.string().max(64).nullable(),
  softwareVersion: z.string().max(64),
  schema: z.object({ version: z.int().positive(), compatVersion: z.int().positive() }),
  /** Files that the schema was made with, in order. */
  migrations: z.array(z.object({ name: z.string().max(255), checksum: sha256 })),
  compression: z.literal('zstd'),
  encryption: z.object({ cipher: z.literal('AES-256-GCM'), kdf: z.literal('scrypt'), salt: z.base64() }).nullable(),
  tables: z.array(TableEntry),
  sequences: z.array(
    z.object({ schema: name, name, lastValue: z.string().regex(/^\d{1,19}$/), isCalled: z.boolean() }),
  ),
  /** Signing keys, sealed; only in an encrypted backup. */
  keys: Segment.nullable(),
});

export type Manifest = z.infer<typeof Manifest>;
export type TableEntry = z.infer<typeof TableEntry>;
export type Segment = z.infer<typeof Segment>;

/** 131,072 segments of 8 MiB make a TiB and 12 MB of manifest. */
export const MAX_MANIFEST_BYTES = 256_000_000;

/** The text of a manifest, with its authentication code when the backup is encrypted. */
export function manifestText(manifest: Manifest, key: Buffer | undefined): string {
  const text = JSON.stringify(manifest);
  return key === undefined ? text : JSON.stringify({ ...manifest, mac: macOf(text, key).toString('hex') });
}

const Authenticated = z.looseObject({ mac: sha256.optional() });

/** Reads a manifest. `keyFor` gives its authentication key from what it says of its encryption. Throws BackupError. */
export function parseManifest(text: string, keyFor: (manifest: Manifest) => Buffer | undefined): Manifest {
  const raw = Authenticated.safeParse(parseJson(text));
  const manifest = Manifest.safeParse(raw.data);
  if (!raw.success || !manifest.success) throw new BackupError('the manifest of the backup cannot be read');
  const key = keyFor(manifest.data);
  if (key === undefined) return manifest.data;
  const { mac, ...rest } = raw.data;
  if (mac === undefined || !timingSafeEqual(macOf(JSON.stringify(rest), key), Buffer.from(mac, 'hex'))) {
    throw new BackupError('the manifest was not written with this encryption key, or was changed');
  }
  return manifest.data;
}

function macOf(text: string, key: Buffer): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

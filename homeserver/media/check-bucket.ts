import { randomBytes } from 'node:crypto';
import { type ObjectStore, ObjectStoreError, UNREACHABLE } from '../object-store/object-store.ts';

/** Why files cannot be kept in a bucket. */
export interface BucketProblem {
  /** The path of the configuration to look at, and what was tried, and what came of it. */
  readonly message: string;
  /** It may go well later with this configuration. */
  readonly passing: boolean;
}

/**
 * Writes one small object, reads it back and deletes it; undefined when all of that went well. `awayField` is what to look at
 * when nobody answers.
 */
export async function bucketProblem(store: ObjectStore, awayField: string): Promise<BucketProblem | undefined> {
  const name = `.writable-${randomBytes(8).toString('hex')}`;
  const bytes = randomBytes(16);
  const problemOf = (what: string, work: () => Promise<void>) => problemIn(store, awayField, { what, work });
  const written = await problemOf('written', () => store.put(name, bytes));
  if (written !== undefined) return written;
  const read = await problemOf('read', async () => {
    const found = await store.get(name, bytes.length);
    // A replica must find what another one has stored a moment ago.
    if (found?.equals(bytes) !== true) throw new ObjectStoreError('it is not what was written', { passing: false });
  });
  const deleted = await problemOf('deleted', () => store.delete(name));
  return read ?? deleted;
}

async function problemIn(
  { place }: ObjectStore,
  awayField: string,
  { what, work }: { readonly what: string; readonly work: () => Promise<void> },
): Promise<BucketProblem | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!(error instanceof ObjectStoreError)) throw error;
    const { code, passing, message } = error;
    const field = code === UNREACHABLE ? awayField : fieldOf(code);
    return { message: `${field}: an object in ${place} cannot be ${what}: ${message}`, passing };
  }
}

const CREDENTIALS = 'media.s3.credentialsDirectory';
const REGION = 'media.s3.region';
const FIELDS: Readonly<Record<string, string>> = {
  NoSuchBucket: 'media.s3.bucket',
  NoCredentials: CREDENTIALS,
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  AuthorizationHeaderMalformed: REGION,
  PermanentRedirect: REGION,
};

/** Where S3's word for a fault points at one field. */
function fieldOf(code: string | undefined): string {
  return FIELDS[code ?? ''] ?? 'media.s3';
}

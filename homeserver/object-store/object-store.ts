/**
 * Named pieces of bytes, whole or not there. Names are paths of `[A-Za-z0-9._=:[\]-]` parts joined by `/`. Every failure is an
 * ObjectStoreError.
 */
export interface ObjectStore {
  /** Where it is, for people; holds no secret. */
  readonly place: string;
  /** Writes an object, or writes over it; it is durable when this resolves. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Reads a whole object; undefined when there is none. Refuses one above `maxBytes` before it is read. */
  get(name: string, maxBytes: number): Promise<Buffer | undefined>;
  /** Names that start with `prefix`, which ends with `/` or is empty, in order of their bytes. */
  list(prefix: string): AsyncIterable<string>;
  /** What stands directly under `prefix`: names up to and with the next `/`, in order of their bytes. */
  listFolders(prefix: string): Promise<string[]>;
  /** Deletes an object; one that is not there is no failure. */
  delete(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Code of an ObjectStoreError: there was no connection, or no answer. */
export const UNREACHABLE = 'Unreachable';

/** The store refused or did not answer. `passing`: the same request may go well later. */
export class ObjectStoreError extends Error {
  override readonly name = 'ObjectStoreError';
  readonly passing: boolean;
  /** One word for what is wrong: S3's own, such as NoSuchBucket, or NoCredentials or UNREACHABLE. */
  readonly code: string | undefined;

  constructor(message: string, options: { passing: boolean; code?: string | undefined; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.passing = options.passing;
    this.code = options.code;
  }
}

const PART = /^(?!\.\.?$)[A-Za-z0-9._=:[\]-]{1,255}$/;

/** Throws for a name that could mean something else to a file system or in a URL. */
export function checkObjectName(name: string): void {
  if (name.length > 900 || !name.split('/').every((part) => PART.test(part))) {
    throw new TypeError('an object name has a part that is not allowed');
  }
}

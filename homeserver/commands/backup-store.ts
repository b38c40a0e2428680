import { NO_POD_IDENTITY, podIdentity } from '../config/aws-environment.ts';
import { openDirectoryStore } from '../object-store/directory-store.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { openS3Store, type S3Settings } from '../object-store/s3-store.ts';
import { UsageError } from './command.ts';

/** Options of every command that uses a backup store. */
export const STORE_OPTIONS = {
  directory: { type: 'string' },
  's3-bucket': { type: 'string' },
  's3-region': { type: 'string' },
  's3-endpoint': { type: 'string' },
  's3-prefix': { type: 'string' },
  's3-path-style': { type: 'boolean' },
  's3-credentials': { type: 'string' },
} as const;

export const STORE_HELP = `  --directory DIR             the backups are files under DIR, or else:
  --s3-bucket NAME            they are in this bucket
  --s3-region REGION          region of the bucket [us-east-1]
  --s3-endpoint URL           another provider than AWS
  --s3-prefix PREFIX          before all names, ends with a slash
  --s3-path-style             the bucket in the path, not in the host name
  --s3-credentials DIR        folder with the files accessKeyId and secretAccessKey; without it the pod's own identity
                              (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE)`;

interface StoreValues {
  readonly directory?: string | undefined;
  readonly 's3-bucket'?: string | undefined;
  readonly 's3-region'?: string | undefined;
  readonly 's3-endpoint'?: string | undefined;
  readonly 's3-prefix'?: string | undefined;
  readonly 's3-path-style'?: boolean | undefined;
  readonly 's3-credentials'?: string | undefined;
}

/** Opens the store that the command line names. Throws UsageError. */
export function openBackupStore(values: StoreValues): ObjectStore {
  const bucket = values['s3-bucket'];
  if ((values.directory === undefined) === (bucket === undefined)) {
    throw new UsageError('say where the backups are: either --directory DIR or --s3-bucket NAME');
  }
  if (values.directory !== undefined) return openDirectoryStore(values.directory);
  return openS3Store(s3Settings(bucket ?? '', values));
}

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^([A-Za-z0-9._=-]+\/)*$/;

function s3Settings(bucket: string, values: StoreValues): S3Settings {
  const region = values['s3-region'] ?? 'us-east-1';
  const prefix = values['s3-prefix'] ?? '';
  const endpoint = values['s3-endpoint'];
  if (!BUCKET.test(bucket)) throw new UsageError('--s3-bucket: 3 to 63 of a-z 0-9 . - are allowed');
  if (!PREFIX.test(prefix))
    throw new UsageError('--s3-prefix: parts of A-Z a-z 0-9 . _ = - are allowed, each ending with /');
  if (endpoint !== undefined && !isHttpUrl(endpoint)) {
    throw new UsageError('--s3-endpoint: a URL such as https://s3.example.net is allowed');
  }
  const pathStyle = values['s3-path-style'] === true;
  return { bucket, region, endpoint, prefix, pathStyle, credentials: credentialsOf(values, region) };
}

function credentialsOf(values: StoreValues, region: string): S3Settings['credentials'] {
  const directory = values['s3-credentials'];
  if (directory !== undefined) return { directory };
  const webIdentity = podIdentity(region);
  if (webIdentity === undefined) throw new UsageError(`--s3-credentials DIR is needed: ${NO_POD_IDENTITY}`);
  return { webIdentity };
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).username === '';
}

/** A whole number of an option. Throws UsageError. */
export function numberOption(name: string, text: string, range: { min: number; max: number }): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= range.min && number <= range.max) return number;
  throw new UsageError(`--${name}: a whole number from ${range.min} to ${range.max} is allowed`);
}

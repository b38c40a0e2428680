import type { HomeserverConfig } from '../contract/config-schema.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { openS3Store, type S3Settings } from '../object-store/s3-store.ts';
import { NO_POD_IDENTITY, podIdentity } from './aws-environment.ts';
import { ConfigError } from './load.ts';

type MediaBucket = NonNullable<NonNullable<HomeserverConfig['media']>['s3']>;

/** Somebody waits for an answer: one try, and at most so long for it, ms. */
const PATIENCE = { tries: 1, requestMs: 5000 };

/**
 * The bucket for uploaded files, opened where those of this server lie: as with backups, several servers may share a bucket and a
 * prefix. undefined where files are kept elsewhere. Throws ConfigError.
 */
export function openMediaBucket({ media, serverName }: HomeserverConfig, file: string): ObjectStore | undefined {
  const s3 = media?.s3;
  if (s3 === undefined) return undefined;
  const { bucket, region, endpoint, prefix = '', forcePathStyle: pathStyle } = s3;
  const credentials = credentialsOf(s3, file);
  const where = { bucket, region, endpoint, prefix: `${prefix}${serverName}/media/`, pathStyle };
  return openS3Store({ ...where, credentials, patience: PATIENCE });
}

/** The field to look at when nobody answers: without an endpoint the region is part of the name that is asked. */
export function awayField({ media }: Pick<HomeserverConfig, 'media'>): string {
  return `media.s3.${media?.s3?.endpoint === undefined ? 'region' : 'endpoint'}`;
}

function credentialsOf({ credentialsDirectory, region }: MediaBucket, file: string): S3Settings['credentials'] {
  if (credentialsDirectory !== undefined) return { directory: credentialsDirectory };
  const webIdentity = podIdentity(region);
  if (webIdentity !== undefined) return { webIdentity };
  throw new ConfigError(file, [`media.s3.credentialsDirectory: it is needed, for ${NO_POD_IDENTITY}`]);
}

import * as z from 'zod';
import { S3_LOCATION } from '../../homeserver/contract/s3-location.ts';
import { SecretRef } from './fields.ts';

/** A bucket, and how pods are let in; of `spec.media`, `spec.backup` and `spec.bootstrap`. */
export const S3Location = z
  .object({
    ...S3_LOCATION,
    credentialsSecretRef: SecretRef(
      'Secret with the keys accessKeyId and secretAccessKey. Without it the pods use the identity of their service account.',
    ).optional(),
  })
  .describe('A bucket of S3, or of what speaks like it.');

export type S3Location = z.infer<typeof S3Location>;

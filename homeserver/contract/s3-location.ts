import * as z from 'zod';

/** Where objects lie in S3, or in what speaks like it, as the resource and the configuration say it. */
export const S3_LOCATION = {
  bucket: z
    .string()
    .min(3)
    .max(63)
    .regex(/^[a-z0-9][a-z0-9.-]*[a-z0-9]$/)
    .describe('Name of the bucket; it must exist.'),
  region: z.string().min(1).max(64).default('us-east-1').describe('Region of the bucket.'),
  endpoint: z
    .string()
    .max(255)
    .regex(/^https?:\/\/[^\s/@?#]+$/)
    .optional()
    .describe('URL of another provider than AWS, such as https://s3.example.net.'),
  prefix: z
    .string()
    .max(200)
    .regex(/^([A-Za-z0-9._=-]+\/)+$/)
    .optional()
    .describe('Before all names in the bucket; ends with a slash.'),
  forcePathStyle: z.boolean().default(false).describe('The bucket in the path of URLs and not in their host.'),
};

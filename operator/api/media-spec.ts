import * as z from 'zod';
import { rules } from './cel.ts';
import { objectName } from './fields.ts';
import { S3Location } from './s3-location.ts';

const quantity = z
  .string()
  .min(1)
  .max(32)
  .regex(/^[0-9]+(\.[0-9]+)?([KMGTPE]i?|[munk])?$/);

const PersistentVolumeClaim = z
  .object({
    size: quantity.optional().describe('Size of the claim that the operator makes; it can only grow. Without it 10Gi.'),
    storageClassName: objectName(
      'Storage class of the claim that the operator makes; without it the default class. Cannot be changed.',
    ).optional(),
    accessMode: z
      .enum(['ReadWriteOnce', 'ReadWriteMany'])
      .default('ReadWriteOnce')
      .describe('ReadWriteMany is needed for more than one replica. Cannot be changed.'),
    existingClaimName: objectName('A claim made by somebody else; the operator makes none then.').optional(),
  })
  .describe('A volume. The claim stays when the resource is deleted.')
  .meta(
    rules(
      {
        rule: '!has(self.existingClaimName) || !(has(self.size) || has(self.storageClassName))',
        message: 'size and storageClassName are for a claim that the operator makes, not for existingClaimName',
      },
      {
        rule: '!has(self.size) || !has(oldSelf.size) || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0',
        message: 'a volume cannot shrink: size may only grow',
      },
      { rule: 'self.accessMode == oldSelf.accessMode', message: 'accessMode cannot be changed' },
      {
        rule:
          'has(self.storageClassName) == has(oldSelf.storageClassName) && ' +
          '(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)',
        message: 'storageClassName cannot be changed',
      },
      {
        rule: 'has(self.existingClaimName) == has(oldSelf.existingClaimName)',
        message: 'existingClaimName cannot appear or vanish: media would be left behind',
      },
    ),
  );

const MediaBucket = S3Location.describe(
  'A bucket of S3, or of what speaks like it; for any number of replicas. The files lie under <prefix><serverName>/media/ ' +
    'and stay when the resource is deleted, whatever deletion.policy says. Copy them before you name another place.',
);

/** `spec.media`. */
export const MediaSpec = z
  .object({ s3: MediaBucket.optional(), persistentVolumeClaim: PersistentVolumeClaim.optional() })
  .describe(
    'Where uploaded files are kept, a volume or a bucket; a replica checks that it can write there before it serves. ' +
      'A bucket that does not answer then is no reason not to serve.',
  )
  .meta(
    rules(
      {
        rule: 'has(self.s3) != has(self.persistentVolumeClaim)',
        message: 'exactly one of media.s3 and media.persistentVolumeClaim is needed',
      },
      {
        rule: 'has(self.s3) == has(oldSelf.s3)',
        message: 'media cannot change between s3 and persistentVolumeClaim: files would be left behind',
      },
    ),
  );

export type MediaSpec = z.infer<typeof MediaSpec>;

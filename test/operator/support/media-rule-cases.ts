/** A spec that the API server takes, or refuses. */
export interface RuleCase {
  name: string;
  spec: object;
  /** Words of the refusal; absent: accepted. */
  refused?: string;
  /** The spec before the change; absent: the resource is new. */
  before?: object;
}

export const MEDIA_CASES: readonly RuleCase[] = [
  { name: 'media without a kind is refused', spec: { media: {} }, refused: 'persistentVolumeClaim' },
  {
    name: 'more than one replica on a volume of one node is refused',
    spec: { replicas: 2, media: { persistentVolumeClaim: {} } },
    refused: 'ReadWriteMany',
  },
  {
    name: 'autoscaling on a volume of one node is refused',
    spec: { autoscaling: { maxReplicas: 3 }, media: { persistentVolumeClaim: {} } },
    refused: 'ReadWriteMany',
  },
  {
    name: 'more than one replica on a volume of all nodes is accepted',
    spec: { replicas: 2, media: { persistentVolumeClaim: { accessMode: 'ReadWriteMany' } } },
  },
  {
    name: 'a size beside a claim that exists is refused',
    spec: { media: { persistentVolumeClaim: { existingClaimName: 'x', size: '1Gi' } } },
    refused: 'not for existingClaimName',
  },
  {
    name: 'a smaller size is refused',
    before: { media: { persistentVolumeClaim: { size: '2Gi' } } },
    spec: { media: { persistentVolumeClaim: { size: '1025Mi' } } },
    refused: 'size may only grow',
  },
  {
    name: 'a larger size is accepted',
    before: { media: { persistentVolumeClaim: { size: '2Gi' } } },
    spec: { media: { persistentVolumeClaim: { size: '3000Mi' } } },
  },
  {
    name: 'another access mode is refused',
    before: { media: { persistentVolumeClaim: {} } },
    spec: { media: { persistentVolumeClaim: { accessMode: 'ReadWriteMany' } } },
    refused: 'accessMode cannot be changed',
  },
  {
    name: 'media in two places is refused',
    spec: { media: { persistentVolumeClaim: {}, s3: { bucket: 'files' } } },
    refused: 'exactly one of media.s3 and media.persistentVolumeClaim',
  },
  { name: 'more than one replica on a bucket is accepted', spec: { replicas: 3, media: { s3: { bucket: 'files' } } } },
  {
    name: 'autoscaling on a bucket is accepted',
    spec: { autoscaling: { maxReplicas: 3 }, media: { s3: { bucket: 'files' } } },
  },
  { name: 'a bucket without a name is refused', spec: { media: { s3: {} } }, refused: 'spec.media.s3.bucket' },
  {
    name: 'a volume that becomes a bucket is refused',
    before: { media: { persistentVolumeClaim: {} } },
    spec: { media: { s3: { bucket: 'files' } } },
    refused: 'media cannot change between s3 and persistentVolumeClaim',
  },
  {
    name: 'a bucket that becomes a volume is refused',
    before: { media: { s3: { bucket: 'files' } } },
    spec: { media: { persistentVolumeClaim: {} } },
    refused: 'media cannot change between s3 and persistentVolumeClaim',
  },
  {
    name: 'another bucket, to which files were copied, is accepted',
    before: { media: { s3: { bucket: 'files' } } },
    spec: { media: { s3: { bucket: 'moved', endpoint: 'https://s3.example.net', prefix: 'a/' } } },
  },
  {
    name: 'a bucket that vanishes is refused',
    before: { media: { s3: { bucket: 'files' } } },
    spec: {},
    refused: 'media cannot be removed',
  },
  {
    name: 'media that vanishes is refused',
    before: { media: { persistentVolumeClaim: {} } },
    spec: {},
    refused: 'media cannot be removed',
  },
];

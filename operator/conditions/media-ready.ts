import type { ConditionResult, MediaReport } from './observed.ts';

/** Files can be kept in the bucket. Does not gate Ready: everything else is served. */
export function mediaReady(media: MediaReport): ConditionResult {
  const type = 'MediaReady';
  switch (media.state) {
    case 'usable':
      return { type, status: 'True', reason: 'OK', message: 'files can be kept in the bucket' };
    case 'unusable':
      return { type, status: 'False', reason: 'BucketUnusable', message: media.problem };
    case 'unknown':
      return { type, status: 'Unknown', reason: 'Pending', message: media.because };
  }
}

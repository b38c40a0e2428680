import { expect, test } from 'vitest';
import { mediaReady } from './media-ready.ts';
import type { ConditionResult, MediaReport } from './observed.ts';

const problem = 'spec.media.s3.endpoint: https://s3.example.net cannot be reached (ENOTFOUND)';
const cases: { report: MediaReport; is: Omit<ConditionResult, 'type'> }[] = [
  { report: { state: 'usable' }, is: { status: 'True', reason: 'OK', message: 'files can be kept in the bucket' } },
  { report: { state: 'unusable', problem }, is: { status: 'False', reason: 'BucketUnusable', message: problem } },
  {
    report: { state: 'unknown', because: 'no replica is ready' },
    is: { status: 'Unknown', reason: 'Pending', message: 'no replica is ready' },
  },
];

test.for(cases)('$report.state', ({ report, is }) => {
  expect(mediaReady(report)).toEqual({ type: 'MediaReady', ...is });
});

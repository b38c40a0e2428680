import { EXIT_CODES } from '../../homeserver/contract/exit-codes.ts';
import { FINAL_EXIT_CODES } from './job-exit-codes.ts';
import type { Manifest } from './manifest.ts';
import { childNames } from './names.ts';
import { drillArgs } from './program.ts';
import type { StoreJob, StoreJobInput } from './store-job.ts';
import { storeCronJob } from './store-job.ts';

/** On Jobs of the CronJob of restore drills. */
export const DRILL_COMPONENT = { 'app.kubernetes.io/component': 'drill' };

/** How long a drill waits for the spare database that the operator makes when it sees the Job. */
const WAIT_SECONDS = 600;
/** A drill that hangs must not hold a second database for ever. */
const DEADLINE_SECONDS = 86_400;

export interface DrillInput extends StoreJobInput {
  readonly schedule: string;
  /** Name of the spare database. */
  readonly database: string;
}

/** Proves the newest backup as scheduled, one drill at a time. A backup that is bad stays bad, so that is not tried again. */
export function drillCronJob(input: DrillInput): Manifest {
  const { owner, schedule, database } = input;
  const drill: StoreJob = {
    name: 'drill',
    args: (store) => [...drillArgs(database, WAIT_SECONDS), ...store],
    finalCodes: [EXIT_CODES.failed, ...FINAL_EXIT_CODES],
    deadlineSeconds: DEADLINE_SECONDS,
  };
  return storeCronJob(input, drill, { name: childNames(owner.name).drillCronJob, schedule });
}

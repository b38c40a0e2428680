import { spareName } from '../database/spare-marker.ts';
import { backupCronJob } from '../resources/backup-job.ts';
import { drillCronJob } from '../resources/drill-cron-job.ts';
import type { PodImage } from '../resources/pod-template.ts';
import { checkBackupSecrets } from './backup-secrets.ts';
import { ensureChildren } from './ensure-children.ts';
import type { Secrets } from './ensure-secrets.ts';
import { OWNED_KINDS } from './kinds.ts';
import { podFiles } from './pod-files.ts';
import type { StepContext, StepResult } from './step.ts';
import { done } from './step.ts';

export interface BackupStepInput {
  readonly image: PodImage;
  readonly configMap: string;
  readonly secrets: Secrets;
}

/** The CronJobs of the scheduled backups and of their drills, or none. A missing Secret does not take it away: the next run may find it. */
export async function ensureBackup(ctx: StepContext, input: BackupStepInput): Promise<StepResult<undefined>> {
  const { owner, names, homeserver } = ctx;
  const { backup, pod } = homeserver.spec;
  const files = podFiles(ctx, input.configMap, input.secrets.references);
  const { image } = input;
  const kind = OWNED_KINDS.cronJob;
  const how = backup === undefined ? undefined : { owner, backup, image, files, pod };
  const schedule = backup?.drillSchedule;
  const database = spareName(input.secrets.access.name);
  const manifest = how && backupCronJob(how);
  const drill = how && schedule !== undefined ? drillCronJob({ ...how, schedule, database }) : undefined;
  await ensureChildren(ctx, [
    { kind, name: names.backupCronJob, manifest },
    { kind, name: names.drillCronJob, manifest: drill },
  ]);
  if (backup !== undefined) await checkBackupSecrets(ctx, backup);
  return done(undefined);
}

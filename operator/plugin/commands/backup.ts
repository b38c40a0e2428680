import { parseArgs } from 'node:util';
import { KINDS } from '../../reconcile/kinds.ts';
import { childNames } from '../../resources/names.ts';
import type { Cluster } from '../cluster.ts';
import { CLUSTER_HELP, CLUSTER_OPTIONS, MANAGER, withCluster } from '../cluster.ts';
import type { PluginCommand } from '../command.ts';
import { json, numberOption, theName, wantsJson } from '../command.ts';
import { findHomeserver } from '../find-homeserver.ts';
import { jobFromCronJob } from '../job-manifests.ts';
import type { JobOutcome } from '../jobs.ts';
import { runJob } from '../jobs.ts';
import type { Terminal } from '../terminal.ts';
import { PluginError } from '../terminal.ts';
import { printable } from '../text/paint.ts';

export const backup: PluginCommand = {
  help: `kubectl matrix backup NAME: make a backup now, as the schedule in spec.backup would, and wait for it.

  --no-wait              do not wait
  --timeout-minutes N    wait at most so long [120]
${CLUSTER_HELP}
`,
  run: async (args, at) => {
    const options = {
      ...CLUSTER_OPTIONS,
      'no-wait': { type: 'boolean' },
      'timeout-minutes': { type: 'string', default: '120' },
    } as const;
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
    const asJson = wantsJson(values.output);
    const name = theName(positionals);
    const minutes = numberOption('timeout-minutes', values['timeout-minutes'], { min: 1, max: 10_080 });
    return withCluster(values, at, async (cluster) => {
      const manifest = await backupJob(cluster, name, at.now());
      if (values['no-wait'] === true) {
        await cluster.client.create(KINDS.job, manifest, MANAGER);
        at.write(asJson ? json({ job: manifest.metadata.name }) : `job.batch/${manifest.metadata.name}\n`);
        return 0;
      }
      const outcome = await runJob(cluster, at, { manifest, timeoutMs: minutes * 60_000 });
      return report(at, manifest.metadata.name, outcome, asJson);
    });
  },
};

async function backupJob(cluster: Cluster, name: string, now: number) {
  const { client, namespace } = cluster;
  const { homeserver } = await findHomeserver(cluster, name);
  const cronJob = await client.get(KINDS.cronJob, { namespace, name: childNames(name).backupCronJob });
  if (cronJob !== undefined) return jobFromCronJob(cronJob, now);
  const where = `${namespace}/${name}`;
  throw new PluginError(
    homeserver.spec.backup === undefined
      ? `${where} says nowhere where backups go: set spec.backup (docs/backup.md)`
      : `${where} has no CronJob for its backups yet; kubectl matrix status ${name} says why`,
  );
}

/** What the program says when it is done. */
const DONE = /^backup (\d{8}T\d{6}Z-[0-9a-f]{10}): /;

function report(at: Terminal, job: string, { succeeded, message, lines }: JobOutcome, asJson: boolean): number {
  const said = lines.find((line) => DONE.test(line));
  const backupID = DONE.exec(said ?? '')?.[1] ?? null;
  if (asJson) at.write(json({ job, succeeded, backupID, message }));
  else if (succeeded) at.write(`${printable(said ?? `job.batch/${job} is complete`)}\n`);
  if (succeeded) return 0;
  for (const line of lines.slice(-20)) at.tell(printable(line));
  at.tell(`the backup failed: ${printable(message)} (job ${job})`);
  return 1;
}

import { parseArgs } from 'node:util';
import * as z from 'zod';
import { KINDS } from '../../reconcile/kinds.ts';
import { childNames } from '../../resources/names.ts';
import { CLUSTER_HELP, CLUSTER_OPTIONS, withCluster } from '../cluster.ts';
import type { PluginCommand } from '../command.ts';
import { json, numberOption, text, theName, wantsJson } from '../command.ts';
import { findHomeserver } from '../find-homeserver.ts';
import { verifyJob } from '../job-manifests.ts';
import type { JobOutcome } from '../jobs.ts';
import { runJob } from '../jobs.ts';
import type { Terminal } from '../terminal.ts';
import { PluginError } from '../terminal.ts';
import { coloured, plain, printable } from '../text/paint.ts';
import { verifyView } from '../text/verify-view.ts';

export const verify: PluginCommand = {
  help: `kubectl matrix verify NAME: say whether the database is whole, by a Job that changes nothing.

  --sample N                events whose id is compared with the hash of what is stored [1000]
  --time-limit-seconds N    stop looking after this time [600]
${CLUSTER_HELP}

Ends with 0 whole, 1 something is wrong, could not be looked at, or time ran out.
`,
  run: async (args, at) => {
    const options = {
      ...CLUSTER_OPTIONS,
      sample: { type: 'string', default: '1000' },
      'time-limit-seconds': { type: 'string', default: '600' },
    } as const;
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
    const asJson = wantsJson(values.output);
    const name = theName(positionals);
    const sample = numberOption('sample', values.sample, { min: 1, max: 1_000_000 });
    const limit = numberOption('time-limit-seconds', values['time-limit-seconds'], { min: 1, max: 86_400 });
    return withCluster(values, at, async (cluster) => {
      const { client, namespace } = cluster;
      const { homeserver } = await findHomeserver(cluster, name);
      const deployment = await client.get(KINDS.deployment, { namespace, name: childNames(name).deployment });
      if (deployment === undefined) {
        throw new PluginError(`${namespace}/${name} has no Deployment yet; kubectl matrix status ${name} says why`);
      }
      const manifest = verifyJob(homeserver, deployment, { sample, timeLimitSeconds: limit, now: at.now() });
      // The Job ends by its own limit; this is for the control plane that does not say so.
      const outcome = await runJob(cluster, at, { manifest, timeoutMs: (limit + 600) * 1000 });
      return report(at, outcome, asJson);
    });
  },
};

const Report = z.looseObject({
  whole: z.boolean(),
  serverName: z.string(),
  schema: z.looseObject({ version: z.int(), compatVersion: z.int() }),
  checks: z.array(
    z.looseObject({
      name: z.string(),
      checked: z.int().nullable(),
      problems: z.int(),
      examples: z.array(z.string()),
      complete: z.boolean(),
    }),
  ),
});

function report(at: Terminal, { message, lines }: JobOutcome, asJson: boolean): number {
  const found = lines.map(readReport).find((one) => one !== undefined);
  if (found === undefined) {
    for (const line of lines.slice(-20)) at.tell(printable(line));
    throw new PluginError(`nothing could be verified: ${message === '' ? 'the Job gave no report' : message}`);
  }
  at.write(asJson ? json(found) : text(verifyView(found, at.colours ? coloured : plain)));
  return found.whole ? 0 : 1;
}

/** The report is one line among what the program may have logged. */
function readReport(line: string): z.infer<typeof Report> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return Report.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

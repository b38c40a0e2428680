import { parseArgs } from 'node:util';
import { podSelectorText } from '../../resources/labels.ts';
import type { Cluster } from '../cluster.ts';
import { CLUSTER_HELP, CLUSTER_OPTIONS, withCluster } from '../cluster.ts';
import type { PluginCommand } from '../command.ts';
import { numberOption, theName, wantsJson } from '../command.ts';
import { findHomeserver } from '../find-homeserver.ts';
import type { LogLine, Source } from '../merge-lines.ts';
import { linesOf, mergeAsTheyCome, mergeByTime } from '../merge-lines.ts';
import type { LogOptions, PodFacts } from '../pods.ts';
import { SERVING_CONTAINER, listPods, podLog } from '../pods.ts';
import type { Terminal } from '../terminal.ts';
import { PluginError, UsageError } from '../terminal.ts';
import { logLine } from '../text/log-line.ts';
import { coloured, plain } from '../text/paint.ts';

export const logs: PluginCommand = {
  help: `kubectl matrix logs NAME: the logs of all replicas in one, by time.

  -f, --follow           go on until Ctrl+C; replicas that begin later are not in it
  --since SPAN           not older than 30s, 10m, 2h or 3d
  --tail N               at most the last N lines of each replica [200, with --since all]
${CLUSTER_HELP}

With -o json each line is one JSON object: pod, time, line as the program wrote it.
`,
  run: async (args, at) => {
    const options = {
      ...CLUSTER_OPTIONS,
      follow: { type: 'boolean', short: 'f' },
      since: { type: 'string' },
      tail: { type: 'string' },
    } as const;
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
    const asJson = wantsJson(values.output);
    const name = theName(positionals);
    const wanted: LogOptions = { ...limits(values), follow: values.follow === true, signal: at.interrupted };
    return withCluster(values, at, async (cluster) => {
      await findHomeserver(cluster, name);
      const pods = (await listPods(cluster, podSelectorText(name))).filter(({ hasLog }) => hasLog);
      if (pods.length === 0) throw new PluginError(`${cluster.namespace}/${name} has no replica that has begun`);
      const sources = await openLogs(cluster, pods, wanted);
      await show(at, wanted.follow === true ? mergeAsTheyCome(sources) : mergeByTime(sources), asJson);
      return 0;
    });
  },
};

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const USUAL_TAIL = 200;

function limits({ since, tail }: { since?: string | undefined; tail?: string | undefined }): LogOptions {
  const lines = tail === undefined ? undefined : numberOption('tail', tail, { min: 0, max: 1_000_000 });
  if (since === undefined) return { tail: lines ?? USUAL_TAIL };
  return { sinceSeconds: secondsOf(since), tail: lines };
}

function secondsOf(since: string): number {
  const [, count, unit = ''] = /^([0-9]{1,6})([smhd])$/.exec(since) ?? [];
  if (count !== undefined) return Math.max(1, Number(count) * (SECONDS[unit] ?? 1));
  throw new UsageError(`--since: a span such as 30s, 10m, 2h or 3d is allowed, not ${since}`);
}

async function openLogs(cluster: Cluster, pods: readonly PodFacts[], wanted: LogOptions): Promise<Source[]> {
  return Promise.all(
    pods.map(async ({ name }) => {
      const chunks = await podLog(cluster, name, { ...wanted, container: SERVING_CONTAINER, timestamps: true });
      return { name, lines: linesOf(chunks) };
    }),
  );
}

async function show(at: Terminal, lines: AsyncIterable<LogLine>, asJson: boolean): Promise<void> {
  const paint = at.colours ? coloured : plain;
  try {
    for await (const { source, line, time } of lines) {
      at.write(asJson ? `${JSON.stringify({ pod: source, time, line })}\n` : `${logLine(source, line, paint)}\n`);
    }
  } catch (error) {
    // Ctrl+C is how a log that goes on is ended.
    if (!at.interrupted.aborted) throw error;
  }
}

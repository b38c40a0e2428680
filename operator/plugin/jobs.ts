import { setTimeout as pause } from 'node:timers/promises';
import { KINDS } from '../reconcile/kinds.ts';
import { jobCopy } from '../reconcile/child-copies.ts';
import type { Manifest } from '../runtime/kube-object.ts';
import type { Cluster } from './cluster.ts';
import { MANAGER } from './cluster.ts';
import { lastLines, listPods } from './pods.ts';
import type { Terminal } from './terminal.ts';
import { PluginError } from './terminal.ts';

export interface JobOutcome {
  readonly succeeded: boolean;
  /** Why not, as Kubernetes says it. */
  readonly message: string;
  /** What its last pod wrote, by lines. */
  readonly lines: readonly string[];
}

const LOOK_EVERY_MS = 1000;

/** Makes a Job and waits for its end, at most `timeoutMs`. Ctrl+C ends the waiting, not the Job. */
export async function runJob(
  cluster: Cluster,
  at: Terminal,
  job: { readonly manifest: Manifest; readonly timeoutMs: number },
): Promise<JobOutcome> {
  const { client, namespace } = cluster;
  const { name } = job.manifest.metadata;
  await client.create(KINDS.job, job.manifest, MANAGER);
  at.tell(`Job ${namespace}/${name} is made; waiting for its end (Ctrl+C leaves it running)`);
  const deadline = at.now() + job.timeoutMs;
  for (;;) {
    const found = await client.get(KINDS.job, { namespace, name });
    if (found === undefined) throw new PluginError(`Job ${namespace}/${name} has been deleted by somebody`);
    const { state, message } = jobCopy(found);
    if (state !== 'running') return { succeeded: state === 'complete', message, lines: await linesOf(cluster, name) };
    if (at.now() >= deadline) throw new PluginError(`${stillRuns(namespace, name)}: it has not ended in time`);
    await nextLook(at, stillRuns(namespace, name));
  }
}

function stillRuns(namespace: string, name: string): string {
  return `Job ${namespace}/${name} goes on; kubectl -n ${namespace} logs -f job/${name} follows it`;
}

async function nextLook({ interrupted }: Terminal, message: string): Promise<void> {
  try {
    await pause(LOOK_EVERY_MS, undefined, { signal: interrupted });
  } catch (error) {
    throw new PluginError(message, { cause: error });
  }
}

/** Of the pod that began last: the ones before it were tries that failed. */
async function linesOf(cluster: Cluster, job: string): Promise<string[]> {
  const pods = await listPods(cluster, `batch.kubernetes.io/job-name=${job}`);
  const last = pods.filter(({ hasLog }) => hasLog).at(-1);
  return last === undefined ? [] : lastLines(cluster, last.name);
}

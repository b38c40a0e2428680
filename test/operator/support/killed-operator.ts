import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { endingWithUs } from '../../cluster/child-process.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Proxy } from './killing-proxy.ts';
import { programFile } from './program-file.ts';
import { OWN_RELEASE } from './test-programs.ts';

/** How often to ask whether the work is done: a write is heard of at once. */
const ASK_MS = 100;

/** An operator that is a process of its own, works in one namespace through the proxy, and dies at its first write. */
export interface MortalOperator {
  readonly namespace: string;
  readonly proxy: Proxy;
  /** For its log. */
  readonly folder: string;
  /** Whether it also dies at its writes to a database; it then says `wrote …`. */
  readonly diesOfRows?: boolean;
  /** Beside what all of them get. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Read again and again: another text is a write too. */
  readonly watched?: () => Promise<string>;
}

/**
 * One life: it ends by SIGKILL as soon as one write is committed and before its answer arrives, or when `isDone`. Gives back
 * what was written.
 */
async function liveOnce(operator: MortalOperator, isDone: () => Promise<boolean>): Promise<string | undefined> {
  const { proxy, watched } = operator;
  const before = await watched?.();
  let written: string | undefined;
  const child = spawnOperator(operator);
  const dead = once(child, 'exit');
  child.stdout?.on('data', (chunk: Buffer) => {
    written ??= /^wrote .*/m.exec(chunk.toString())?.[0];
  });
  proxy.onWrite = (what) => {
    written ??= what;
    child.kill('SIGKILL');
    return false;
  };
  const isTimeToAsk = everySoOften(ASK_MS);
  const isOver = async () => {
    if (watched !== undefined && written === undefined && (await watched()) !== before)
      written = 'wrote what is watched';
    if (written !== undefined || child.exitCode !== null || child.signalCode !== null) return true;
    return isTimeToAsk() && (await isDone());
  };
  const everyMs = watched === undefined ? 5 : 20;
  try {
    await waitFor(isOver, { what: 'a write or the end of the work', everyMs });
  } finally {
    child.kill('SIGKILL');
    await dead;
  }
  return written;
}

/** True once in `ms`. */
function everySoOften(ms: number): () => boolean {
  let last = performance.now();
  return () => {
    const isDue = performance.now() - last >= ms;
    if (isDue) last = performance.now();
    return isDue;
  };
}

/** Lives until `isDone`; gives back all that was written, one write a life. Throws beyond `maxLives`. */
export async function liveUntil(
  operator: MortalOperator,
  isDone: () => Promise<boolean>,
  maxLives: number,
): Promise<string[]> {
  const writes: string[] = [];
  for (let lives = 0; !(await isDone()); lives += 1) {
    if (lives >= maxLives) throw new Error(`not done after ${maxLives} lives:\n${writes.join('\n')}`);
    const written = await liveOnce(operator, isDone);
    if (written !== undefined) writes.push(written);
  }
  return writes;
}

function spawnOperator({ namespace, proxy, folder, diesOfRows = false, settings }: MortalOperator): ChildProcess {
  const env = {
    ...process.env,
    KUBECONFIG: proxy.kubeconfigPath,
    MATRIX_OPERATOR_WATCH_NAMESPACES: namespace,
    MATRIX_OPERATOR_SECRET_NAMESPACES: namespace,
    MATRIX_OPERATOR_LEADER_ELECTION: 'false',
    MATRIX_OPERATOR_HEALTH_HOST: '127.0.0.1',
    MATRIX_OPERATOR_HEALTH_PORT: '0',
    MATRIX_OPERATOR_HOMESERVER_IMAGE: diesOfRows ? 'localhost/matrix-operator:test' : OWN_RELEASE.homeserverImage,
    MATRIX_OPERATOR_CLUSTER_NAME: 'test',
    ...settings,
  };
  const log = openSync(join(folder, 'operator.log'), 'a');
  const words = diesOfRows ? [programFile('mortal-operator')] : [programFile('operator'), 'run'];
  const stdout = diesOfRows ? 'pipe' : log;
  return spawn(...endingWithUs(process.execPath, words), { env, stdio: ['ignore', stdout, log] });
}

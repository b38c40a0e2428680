import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parse } from 'yaml';
import * as z from 'zod';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import { decodeSecret } from '../../../operator/reconcile/secret-data.ts';
import { endingWithUs } from '../../cluster/child-process.ts';
import { waitFor } from '../../support/wait-for.ts';
import { programFile } from './program-file.ts';
import type { Stage } from './stage.ts';

const ConfigMap = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  data: z.record(z.string(), z.string()),
});
const Served = z.looseObject({ http_port: z.int() });

/** A homeserver process with what the operator made mounted, as a node would do it. */
export interface RealReplica {
  readonly url: string;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface RealReplicas {
  readonly replicas: readonly RealReplica[];
  /** One more; its mounted keyring follows the Secret `lagMs` late, as kubelets do. */
  start(lagMs: number): Promise<RealReplica>;
  stop(): Promise<void>;
}

/** Runs homeservers of the resource `chat` in a namespace as processes of their own. */
export function createRealReplicas(stage: Stage, namespace: string): RealReplicas {
  const running: { process: ChildProcess; folder: string; stop: AbortController; synced: Promise<void> }[] = [];
  const replicas: RealReplica[] = [];
  return {
    replicas,
    async start(lagMs) {
      const folder = await mkdtemp(join(tmpdir(), 'matrix-operator-replica-'));
      await mount(stage, namespace, folder);
      const words = [programFile('homeserver'), 'serve', '--config', join(folder, 'homeserver.yaml')];
      const process = spawn(...endingWithUs(globalThis.process.execPath, words), {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const stop = new AbortController();
      running.push({ process, folder, stop, synced: follow(stage, namespace, { folder, lagMs, stop: stop.signal }) });
      const port = await portOf(process);
      const replica = { url: `http://127.0.0.1:${port}`, kill: () => end(process) };
      replicas.push(replica);
      return replica;
    },
    async stop() {
      for (const { process, folder, stop, synced } of running) {
        stop.abort();
        await Promise.all([end(process), synced]);
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const gone = once(process, 'exit');
  process.kill('SIGKILL');
  await gone;
}

async function readSecret(stage: Stage, namespace: string, name: string): Promise<Readonly<Record<string, string>>> {
  const secret = await stage.client.get(KINDS.secret, { namespace, name });
  if (secret === undefined) throw new Error(`Secret ${name} is not there`);
  return decodeSecret(secret).values;
}

async function mount(stage: Stage, namespace: string, folder: string): Promise<void> {
  const { items } = await stage.client.list(KINDS.configMap, {
    namespace,
    labelSelector: 'matrix-operator.dev/homeserver',
  });
  const config = z
    .record(z.string(), z.unknown())
    .parse(parse(ConfigMap.parse(items[0]).data['homeserver.yaml'] ?? ''));
  for (const part of ['db', 'app'] as const) {
    await mkdir(join(folder, part));
    for (const [file, text] of Object.entries(await readSecret(stage, namespace, `chat-${part}`))) {
      await writeFile(join(folder, part, file), text);
    }
  }
  await replaceKeyring(stage, namespace, folder);
  const local = { host: '127.0.0.1', port: 0 };
  const own = {
    ...config,
    database: { ...z.record(z.string(), z.unknown()).parse(config['database']), directory: join(folder, 'db') },
    appDirectory: join(folder, 'app'),
    keyringFile: join(folder, 'keyring.json'),
    listeners: { http: local, metrics: local },
  };
  await writeFile(join(folder, 'homeserver.yaml'), JSON.stringify(own));
}

async function replaceKeyring(stage: Stage, namespace: string, folder: string, known = ''): Promise<string> {
  const text = (await readSecret(stage, namespace, 'chat-keyring'))['keyring.json'] ?? '';
  if (text === known) return known;
  await writeFile(join(folder, 'keyring.new'), text);
  await rename(join(folder, 'keyring.new'), join(folder, 'keyring.json'));
  return text;
}

async function follow(
  stage: Stage,
  namespace: string,
  { folder, lagMs, stop }: { folder: string; lagMs: number; stop: AbortSignal },
): Promise<void> {
  let known = '';
  while (!stop.aborted) {
    known = await replaceKeyring(stage, namespace, folder, known).catch(() => known);
    await pause(lagMs + 50, undefined, { signal: stop }).catch(() => undefined);
  }
}

async function portOf(process: ChildProcess): Promise<number> {
  let said = '';
  process.stdout?.on('data', (chunk: Buffer) => {
    if (said.length < 100_000) said += chunk.toString();
  });
  return waitFor(
    () => {
      const line = said.split('\n').find((one) => one.includes('http_port'));
      return line === undefined ? undefined : Served.parse(JSON.parse(line)).http_port;
    },
    { what: 'a homeserver to serve' },
  );
}

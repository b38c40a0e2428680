import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod';
import type { Replica } from '../../../homeserver/commands/start-replica.ts';
import { startReplica } from '../../../homeserver/commands/start-replica.ts';
import { createLogger } from '../../../homeserver/log.ts';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import { isConflict } from '../../../operator/runtime/kube-error.ts';
import type { KubeObject } from '../../../operator/runtime/kube-object.ts';
import { mounts } from './workload.ts';
import type { Stage } from './stage.ts';
import { OWN_PROGRAM } from './test-programs.ts';

const EVERY_MS = 100;
const Spec = z.looseObject({ spec: z.looseObject({ replicas: z.int(), template: z.unknown() }) });

interface Pod {
  readonly template: string;
  readonly replica: Replica;
  readonly folder: string;
}

/**
 * Plays the Deployment `chat` of one namespace with real replicas of the homeserver: one more at a time, ready before
 * an old one stops. What a pod has mounted stays as it was when it started, the worst that a kubelet does.
 */
export class PodPlayer {
  readonly #stage: Stage;
  readonly #namespace: string;
  #pods: Pod[] = [];
  #stopped = false;
  #playing: Promise<void> = Promise.resolve();
  readonly failures: unknown[] = [];

  constructor(stage: Stage, namespace: string) {
    this.#stage = stage;
    this.#namespace = namespace;
  }

  /** URLs of the pods that a Service would send requests to. */
  get urls(): string[] {
    return this.#pods.map(({ replica }) => `http://127.0.0.1:${replica.httpPort}`);
  }

  start(): void {
    this.#stage.actors.behaviour.leaves.add(this.#namespace);
    this.#playing = this.#play();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#playing;
    await Promise.all(this.#pods.map((pod) => end(pod)));
  }

  async #play(): Promise<void> {
    while (!this.#stopped) {
      await this.#playOnce().catch((error: unknown) => {
        // Somebody wrote the Deployment in between: the next look sees it.
        if (!isConflict(error)) this.failures.push(error);
      });
      await pause(EVERY_MS);
    }
  }

  async #playOnce(): Promise<void> {
    const name = { namespace: this.#namespace, name: 'chat' };
    const deployment = await this.#stage.client.get(KINDS.deployment, name);
    if (deployment === undefined) return;
    const { replicas, template } = Spec.parse(deployment).spec;
    const wanted = JSON.stringify(template);
    const isNew = (pod: Pod) => pod.template === wanted;
    if (this.#pods.filter(isNew).length < replicas) this.#pods.push(await this.#startPod(deployment, wanted));
    const spare = this.#pods.find((pod) => !isNew(pod)) ?? this.#pods[replicas];
    if (spare !== undefined && this.#pods.length > replicas) await this.#retire(spare);
    await this.#report(deployment, this.#pods.filter(isNew).length);
  }

  async #startPod(deployment: KubeObject, template: string): Promise<Pod> {
    const { config, database, keyring } = await mounts(this.#stage.client, deployment);
    const folder = await mkdtemp(join(tmpdir(), 'matrix-operator-pod-'));
    const keyringFile = join(folder, 'keyring.json');
    await writeFile(keyringFile, JSON.stringify(keyring));
    for (const [file, text] of Object.entries(database)) await writeFile(join(folder, file), text);
    const any = { host: '127.0.0.1', port: 0 };
    const replica = await startReplica({
      config: {
        ...config,
        database: { ...config.database, directory: folder },
        keyringFile,
        appDirectory: folder,
        listeners: { http: any, metrics: any },
      },
      log: createLogger({ level: 'silent' }),
      softwareVersion: OWN_PROGRAM.version,
    });
    return { template, replica, folder };
  }

  async #retire(pod: Pod): Promise<void> {
    this.#pods = this.#pods.filter((one) => one !== pod);
    await end(pod);
  }

  async #report({ metadata }: KubeObject, updated: number): Promise<void> {
    const { name, generation, resourceVersion } = metadata;
    const all = this.#pods.length;
    const status = { observedGeneration: generation, replicas: all, readyReplicas: all, updatedReplicas: updated };
    const patch = { name, namespace: this.#namespace, resourceVersion, status };
    await this.#stage.client.applyStatus(KINDS.deployment, patch, 'stand-in');
  }
}

async function end({ replica, folder }: Pod): Promise<void> {
  await replica.stop({ settleMs: 100, drainMs: 5000 });
  await rm(folder, { recursive: true, force: true });
}

import { KINDS } from '../../../operator/reconcile/kinds.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import type { KubeObject, ObjectName } from '../../../operator/runtime/kube-object.ts';
import { objectKey } from '../../../operator/runtime/kube-object.ts';
import type { Reflector } from '../../../operator/runtime/reflector.ts';
import { createReflector } from '../../../operator/runtime/reflector.ts';
import { isNewer } from '../../../operator/runtime/resource-version.ts';

/** Copies of all homeservers, kept fresh by a watch: whoever waits for one of them need not ask again and again. */
export class WatchedHomeservers {
  readonly #copies: Reflector<KubeObject>;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(client: KubeClient) {
    this.#copies = createReflector({
      client,
      resource: KINDS.homeserver,
      keep: (object) => object,
      keysOf: ({ metadata }) => [objectKey(metadata)],
      onKey: () => undefined,
      timing: { backoff: { minMs: 50, maxMs: 500, jitter: 0.2 } },
    });
    this.#ended = this.#copies.run(this.#stop.signal);
  }

  /** The newest that is known, if it is newer than this version. */
  newerThan(name: ObjectName, version: string): KubeObject | undefined {
    const copy = this.#copies.get(objectKey(name));
    return copy !== undefined && isNewer(copy.metadata.resourceVersion, version) ? copy : undefined;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }
}

import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { MatrixHomeserver } from '../../../operator/api/matrix-homeserver.ts';
import type { UpgradePhase } from '../../../operator/api/upgrade-status.ts';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import { createKubeClient } from '../../../operator/runtime/kube-client.ts';
import { kubectl } from '../../cluster/clients.ts';
import type { ClusterHandle } from '../../cluster/cluster.ts';
import { readyPods, replicasOf } from '../../e2e/support/pods.ts';
import { exposeOutside, inPostgres, NAMESPACE as EXAMPLE_NAMESPACE } from '../../e2e/support/quickstart.ts';
import { waitFor } from '../../support/wait-for.ts';
import { THIS_VERSION } from '../next/next-version.ts';

const NAME = 'chat';
const REPLICAS = 2;
const USER = 'user';
/** Secrets of a bucket and of a TURN server that are not there. */
const AROUND = { accessKeyId: 'away', secretAccessKey: 'away', turn: 'away' };

const Secret = z.looseObject({ data: z.record(z.string(), z.string()) });
const Job = z.looseObject({ status: z.looseObject({ succeeded: z.int().default(0) }) });
const Rollout = z.looseObject({ spec: z.looseObject({ minReadySeconds: z.int().optional() }) });
const ServerVersion = z.looseObject({ server: z.looseObject({ version: z.string() }) });

/** What a test wants of the resource. */
export interface Wanted {
  /** Left out: the one that runs, or what `approval` says. */
  version?: string;
  contractAfterSeconds: number;
  approval?: 'Automatic';
}

/** A resource of two replicas in a namespace of its own, on the PostgreSQL of the example. */
export class Upgraded {
  readonly client: KubeClient;
  readonly namespace = `upgrade-${randomBytes(3).toString('hex')}`;
  readonly #handle: ClusterHandle;

  constructor(handle: ClusterHandle) {
    this.#handle = handle;
    const { kubeconfigPath: kubeconfig, contextName: context } = handle;
    this.client = createKubeClient({ kubeconfig, context, userAgent: 'upgrade-test' });
  }

  /** Makes the namespace and the resource and waits until that version serves; gives the URL that stays. */
  async create(wanted: Wanted, version = wanted.version): Promise<string> {
    const { namespace } = this;
    await this.client.create(
      KINDS.namespace,
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
      USER,
    );
    const name = 'postgres-admin';
    const { data } = Secret.parse(await this.client.get(KINDS.secret, { namespace: EXAMPLE_NAMESPACE, name }));
    await this.client.create(
      KINDS.secret,
      { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, data },
      USER,
    );
    const files = { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name: 'around' }, stringData: AROUND };
    await this.client.create(KINDS.secret, files, USER);
    await this.apply(wanted);
    await this.reached(version ?? THIS_VERSION);
    return exposeOutside(this.#handle, NAME, namespace);
  }

  async apply({ version, ...upgrade }: Wanted): Promise<void> {
    const { namespace } = this;
    const server = { host: `postgres.${EXAMPLE_NAMESPACE}.svc`, adminSecretRef: { name: 'postgres-admin' } };
    const manifest = {
      apiVersion: 'matrix-operator.dev/v1alpha1',
      kind: 'MatrixHomeserver',
      metadata: { namespace, name: NAME },
      spec: {
        serverName: `${namespace}.localhost`,
        ...(version === undefined ? {} : { version }),
        replicas: REPLICAS,
        database: { server, tls: { mode: 'Disable' } },
        federation: { selfCheck: 'Off' },
        config: { registration: { mode: 'Open' }, rateLimits: { enabled: false } },
        upgrade,
        // What only serving pods mount, and a bucket at a port of theirs where nobody listens: Jobs and rooms have no need of it.
        media: { s3: { bucket: 'away', endpoint: 'http://127.0.0.1:1', credentialsSecretRef: { name: 'around' } } },
        integrations: { turn: { external: { uris: ['turn:127.0.0.1'], secretRef: { name: 'around', key: 'turn' } } } },
      },
    };
    await this.client.apply(KINDS.homeserver, manifest, USER);
  }

  async read(): Promise<MatrixHomeserver> {
    return MatrixHomeserver.parse(await this.client.get(KINDS.homeserver, { namespace: this.namespace, name: NAME }));
  }

  /** Waits until the resource says something of this generation. */
  async says(what: string, check: (view: MatrixHomeserver) => boolean): Promise<MatrixHomeserver> {
    let last = '';
    return waitFor(
      async () => {
        const view = await this.read();
        const { phase, plan } = view.status.upgrade ?? {};
        last = `${phase} ${plan?.to} ${view.status.conditions.find(({ type }) => type === 'Ready')?.message}`;
        return view.status.observedGeneration === view.metadata.generation && check(view) ? view : undefined;
      },
      { what, timeoutMs: 120_000 },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; last: ${last}`, { cause: error });
    });
  }

  inPhase(phase: UpgradePhase): Promise<MatrixHomeserver> {
    return this.says(`the phase ${phase}`, ({ status }) => status.upgrade?.phase === phase);
  }

  /** Waits until a version counts as reached and all its replicas are there. */
  reached(version: string): Promise<MatrixHomeserver> {
    return this.says(
      `${version} to be reached`,
      ({ status }) =>
        status.upgrade?.last?.to === version &&
        status.version?.current === version &&
        status.readyReplicas === REPLICAS &&
        status.conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True'),
    );
  }

  /** Kinds of the Jobs that ran, sorted, once all of them ended well: the database may know of the work before its Job does. */
  async jobs(): Promise<string[]> {
    return waitFor(
      async () => {
        const { items } = await this.client.list(KINDS.job, { namespace: this.namespace });
        const isOver = items.every((job) => Job.parse(job).status.succeeded === 1);
        const kinds = items.map((job) => job.metadata.name.replace(/^chat-(\w+)-.*$/, '$1'));
        return isOver ? kinds.toSorted((a, b) => a.localeCompare(b)) : undefined;
      },
      { what: 'all Jobs to end well', timeoutMs: 60_000 },
    );
  }

  /** Rows of the tenant's database, columns parted by `|`. */
  async sql(statement: string): Promise<string[]> {
    return inPostgres(this.#handle, statement, (await this.read()).status.database?.name);
  }

  /** Waits until the pause that an upgrade puts between pods is taken out of the Deployment, which is its last write. */
  async rest(): Promise<void> {
    await waitFor(
      async () => {
        const found = await this.client.get(KINDS.deployment, { namespace: this.namespace, name: NAME });
        return (Rollout.parse(found).spec.minReadySeconds ?? 0) === 0;
      },
      { what: 'the Deployment to be at rest', timeoutMs: 60_000 },
    );
  }

  /** All that an upgrade could write, and the pods that serve. */
  async picture(): Promise<string> {
    const { namespace } = this;
    const where = ['get', 'deployments,jobs,configmaps,services,secrets', '--namespace', namespace];
    const columns = 'KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,GENERATION:.metadata.generation';
    const objects = await kubectl(this.#handle, [...where, '-o', `custom-columns=${columns}`]);
    const rows = await this.sql('select s.xmin, s.*, u.xmin, u.* from ops.schema_state s, matrix_operator.upgrade u');
    const pods = await readyPods(this.#handle, namespace, replicasOf(NAME));
    return [objects, ...rows, ...pods].join('\n');
  }

  async close(): Promise<void> {
    await kubectl(this.#handle, ['delete', 'namespace', this.namespace, '--wait=false']).catch(() => undefined);
    await this.client.close();
  }
}

/** The version that answers behind a URL. */
export async function answering(url: string): Promise<string> {
  const answer = await fetch(`${url}/_matrix/federation/v1/version`, { signal: AbortSignal.timeout(10_000) });
  return ServerVersion.parse(await answer.json()).server.version;
}

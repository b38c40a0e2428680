import pg from 'pg';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import type { KubeObject } from '../../../operator/runtime/kube-object.ts';
import { programOf } from './test-programs.ts';
import { mounts, podOf } from './workload.ts';

const WINDOW = 'select from ops.schema_state where compat_version <= $1 and $1 <= schema_version for share';
const REPORT = `with old as (delete from ops.replica where id like 'stand-in-%')
  insert into ops.replica
  (id, software_version, schema_level, keyring_generation, clock, heartbeat, backend_tag)
  select 'stand-in-' || n, $2, $4, $3, extract(epoch from now()) * 1000, extract(epoch from now()) * 1000, 'stand-in'
  from generate_series(1, $1) n`;

interface PodSession {
  readonly credentials: string;
  readonly client: pg.Client;
}

type Mounts = Awaited<ReturnType<typeof mounts>>;

/** What the replicas of Deployments write to their databases: one session for each Deployment, kept as long as its credentials. */
export class ReplicaRows {
  readonly #client: KubeClient;
  readonly #sessions = new Map<string, PodSession>();
  readonly #mounted = new Map<string, { readonly inputs: string; readonly mounts: Mounts }>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /**
   * The rows of exactly `count` replicas, alive now. False: the database is not open to them, so they do not start. What they
   * mount is read again when `inputs` is another text.
   */
  async report(deployment: KubeObject, count: number, inputs: string): Promise<boolean> {
    const { database, keyring } = await this.#mounts(deployment, inputs);
    const program = programOf(podOf(deployment).image);
    const session = await this.#session(deployment.metadata.uid, database);
    const { rowCount } = await session.query(WINDOW, [program.level]);
    if (rowCount !== 1) return false;
    await session.query(REPORT, [count, program.version, keyring.generation, program.level]);
    return true;
  }

  async #mounts(deployment: KubeObject, inputs: string): Promise<Mounts> {
    const { uid } = deployment.metadata;
    const known = this.#mounted.get(uid);
    if (known?.inputs === inputs) return known.mounts;
    const found = await mounts(this.#client, deployment);
    this.#mounted.set(uid, { inputs, mounts: found });
    return found;
  }

  /** Ends the sessions of Deployments that are not among `uids`. */
  async endOthers(uids: ReadonlySet<string>): Promise<void> {
    const gone = [...this.#sessions].filter(([uid]) => !uids.has(uid));
    await Promise.all(gone.map(([, { client }]) => client.end()));
  }

  async #session(
    uid: string,
    { host = '', port, username, password, dbname }: Readonly<Record<string, string>>,
  ): Promise<pg.Client> {
    const credentials = JSON.stringify([host, port, username, password, dbname]);
    const open = this.#sessions.get(uid);
    if (open?.credentials === credentials) return open.client;
    const client = new pg.Client({
      host,
      port: Number(port),
      user: username,
      password,
      database: dbname,
      application_name: 'stand-in',
      // A server that hangs must not keep its stand-ins for ever.
      connectionTimeoutMillis: 1000,
      query_timeout: 2000,
    });
    client.on('error', () => undefined);
    client.once('end', () => {
      if (this.#sessions.get(uid)?.client === client) this.#sessions.delete(uid);
    });
    await client.connect();
    this.#sessions.set(uid, { credentials, client });
    await open?.client.end();
    return client;
  }
}
